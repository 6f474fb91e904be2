/** Whether istiod and its CA are reached, and trusted with the configured roots. */
import { istioChannelOptions } from "../../authorities/istio/open_istio.ts";
import type { Config } from "../../config/config.ts";
import { xdsChannelOptions } from "../../xds/xds_channel.ts";
import { SYSTEM_CLOCK } from "../../net/clock.ts";
import type { ChannelOptions } from "../../grpc/channel.ts";
import type { Finding, Machine } from "./machine.ts";

/** The names of the settings of a service. */
interface Settings {
  readonly address: string;
  readonly roots: string;
  readonly alternativeHostname: string;
}

const XDS: Settings = { address: "XDS_ADDRESS", roots: "XDS_ROOT_CA", alternativeHostname: "ALT_XDS_HOSTNAME" };
const CA: Settings = { address: "CA_ADDRESS", roots: "CA_ROOT_CA", alternativeHostname: "ALT_CA_HOSTNAME" };

/** What is known before. */
interface Reaching {
  /** Certificates come from Istio's CA. */
  readonly usesCa: boolean;
  /** Settings such as `XDS_ROOT_CA` whose roots cannot be used; without them nobody can be trusted. */
  readonly unusableRoots: readonly string[];
}

/** Findings about both, which are contacted at the same time. */
export async function checkReach(
  config: Config,
  { usesCa, unusableRoots }: Reaching,
  machine: Pick<Machine, "reachProblem">,
): Promise<Finding[]> {
  const { address } = config.xds;
  const services = [
    ...address === null ? [] : [{ subject: "control plane", settings: XDS, options: xdsChannelOptions }],
    ...usesCa ? [{ subject: "CA", settings: CA, options: istioChannelOptions }] : [],
  ];
  const found = await Promise.all(services.map(({ subject, settings, options }) => {
    if (unusableRoots.includes(settings.roots)) {
      return [{ subject, state: "note", text: `not contacted, as ${settings.roots} cannot be used` } as const];
    }
    return reach(subject, settings, (warn) => options(config, SYSTEM_CLOCK, warn), machine);
  }));
  const unused = address === null ? [{ subject: "control plane", state: "ok", text: "not used" } as const] : [];
  return [...unused, ...found.flat()];
}

async function reach(
  subject: string,
  settings: Settings,
  options: (warn: (text: string) => void) => ChannelOptions,
  machine: Pick<Machine, "reachProblem">,
): Promise<Finding[]> {
  const notes: Finding[] = [];
  const found = optionsOf(options, (text) => notes.push({ subject, state: "note", text }));
  if ("problem" in found) return [{ subject, state: "problem", text: found.problem, cure: `set ${settings.address}` }];
  const problem = await machine.reachProblem(found);
  const { text, tls } = found.target;
  if (problem !== null) {
    return [...notes, { subject, state: "problem", text: `${text}: ${problem}`, cure: cureOf(problem, settings) }];
  }
  return [...notes, { subject, state: "ok", text: `${text} is reached${tls ? " and trusted" : ""}` }];
}

function optionsOf(
  options: (warn: (text: string) => void) => ChannelOptions,
  warn: (text: string) => void,
): ChannelOptions | { readonly problem: string } {
  try {
    return options(warn);
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

const CURES: readonly (readonly [problem: RegExp, cure: (settings: Settings) => string])[] = [
  [/clock of this node/, () => "synchronize the clock of this machine (NTP), or renew the server's certificate"],
  [/cannot (read|use|find) root|system's root/, ({ roots }) => `mount the roots of the server, or set ${roots}`],
  [/no trusted root/, ({ roots }) => `${roots} must be the root of that server's certificate`],
  [/ is for /, ({ alternativeHostname: name }) => `set ${name} to the name in the server's certificate`],
  [/failed to look up/, ({ address }) => `${address} must have a name that the DNS of this machine knows`],
  [/No such file/, ({ address }) => `is the server running, and the folder of its socket mounted? (${address})`],
  [/refused/, ({ address }) => `is the server running there? ${address} sets another address`],
  [
    /no answer|no end of it|timed out|unreachable|No route/,
    () => "a route is missing, or a firewall or NetworkPolicy blocks it",
  ],
];

function cureOf(problem: string, settings: Settings): string {
  const found = CURES.find(([pattern]) => pattern.test(problem));
  return found?.[1](settings) ?? `is ${settings.address} a gRPC port of istiod? docs/operating.md, "Control plane"`;
}
