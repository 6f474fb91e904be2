/** The effective configuration: every setting with its value and where that comes from. */
import { PREFIXES, SETTINGS } from "../../config/catalogue/settings.ts";
import type { Setting } from "../../config/catalogue/setting.ts";
import type { Config, ServerAddress } from "../../config/config.ts";
import type { Variables } from "../../config/environment.ts";
import { Environment } from "../../config/environment.ts";
import { type ProxyConfig, readProxyConfig } from "../../config/proxy_config.ts";
import { mayBeSecret } from "../../config/secret_header.ts";

/** One setting. */
export interface EffectiveSetting {
  readonly name: string;
  readonly value: string;
  /** `environment`: the variable itself or `PROXY_CONFIG`. `file`: the mesh file. */
  readonly origin: "default" | "environment" | "file";
}

/** What the table is made from. */
interface SettingSources {
  readonly variables: Variables;
  /** Null: it cannot be used. */
  readonly config: Config | null;
  /** The text of the mesh file; null: there is none. */
  readonly meshFile: string | null;
}

const HIDDEN = "(hidden)";
/** Characters; longer values, such as a whole mesh, are not shown. */
const LONGEST = 120;

/** All settings in the order of the manual, and the variables below a prefix. Secrets are hidden. */
export function effectiveSettings({ variables, config, meshFile }: SettingSources): EffectiveSetting[] {
  const inFile = fromProxyConfig(() => readProxyConfig(new Environment({}), () => meshFile));
  const text = variables["PROXY_CONFIG"];
  const inVariable = fromProxyConfig(() => readProxyConfig(new Environment({ PROXY_CONFIG: text }), () => null));
  const settings = Object.entries(SETTINGS as Readonly<Record<string, Setting>>).map(([name, setting]) => {
    const own = variables[name];
    if (own !== undefined) return { name, value: shown(name, own, config), origin: "environment" } as const;
    const [found, origin] = inVariable[name] !== undefined
      ? [inVariable[name], "environment"] as const
      : [inFile[name], "file"] as const;
    if (found !== undefined) return { name, value: short(found), origin };
    return { name, value: short(defaultOf(name, setting, config)), origin: "default" } as const;
  });
  const named = Object.entries(variables).filter(([name, value]) =>
    value !== undefined && !(name in SETTINGS) && Object.keys(PREFIXES).some((prefix) => name.startsWith(prefix))
  ).map(([name, value]) => ({ name, value: shown(name, value!, config), origin: "environment" }) as const);
  return [...settings, ...named];
}

/** Settings for which Istio's proxy configuration has a value. */
function fromProxyConfig(read: () => ProxyConfig): Readonly<Record<string, string | undefined>> {
  try {
    const { discoveryAddress, adminPort, statsPort, concurrency, trustDomainAliases, metadata } = read();
    return {
      XDS_ADDRESS: discoveryAddress ?? undefined,
      ADMIN_PORT: adminPort?.toString(),
      STATS_PORT: statsPort?.toString(),
      ZTUNNEL_WORKER_THREADS: concurrency?.toString(),
      TRUST_DOMAIN_ALIASES: trustDomainAliases.length === 0 ? undefined : trustDomainAliases.join(","),
      ISTIO_META_DNS_CAPTURE: metadata["DNS_CAPTURE"],
      ISTIO_META_DNS_PROXY_ADDR: metadata["DNS_PROXY_ADDR"],
    };
  } catch {
    // The finding about the configuration has the reason.
    return {};
  }
}

/** Defaults that depend on the machine or on other settings. */
const COMPUTED: Readonly<Record<string, (config: Config) => string | number | null>> = {
  XDS_ADDRESS: ({ xds }) => xds.address,
  CA_ADDRESS: ({ ca }) => ca.address,
  AUTH_TOKEN: ({ token }) => token?.kind === "file" ? token.path : null,
  ADMIN_PORT: ({ listeners }) => portOf(listeners.admin),
  STATS_PORT: ({ listeners }) => portOf(listeners.stats),
  PACKET_MARK: ({ sockets }) => sockets.mark,
  HELD_BYTES_MAX: ({ http2 }) => http2.heldBytesMax,
  ZTUNNEL_WORKER_THREADS: ({ workerThreads }) => workerThreads,
  CONNECTION_TERMINATION_DEADLINE: ({ drainDeadline }) => `${drainDeadline / 1000}s`,
  ISTIO_META_CLUSTER_ID: ({ node }) => node.clusterId,
};

function defaultOf(name: string, { fallback, unset }: Setting, config: Config | null): string {
  const computed = config === null ? null : COMPUTED[name]?.(config) ?? null;
  if (computed !== null) return String(computed);
  if (fallback !== null) return fallback === "" ? "(empty)" : fallback;
  return unset === undefined ? "(not set)" : `(not set: ${unset.replaceAll("`", "")})`;
}

function portOf(at: ServerAddress): number {
  return at.kind === "localhost" ? at.port : at.address.port;
}

/** A value of the environment, unless it may be a secret: a token, or a header or metadata with such a name. */
function shown(name: string, value: string, config: Config | null): string {
  if (name === "AUTH_TOKEN") return config?.token?.kind === "file" ? value : HIDDEN;
  if (/^OTEL_EXPORTER_OTLP_.*HEADERS$/.test(name)) return HIDDEN;
  const prefix = Object.keys(PREFIXES).find((each) => name.startsWith(each));
  if (prefix !== undefined && mayBeSecret(name.slice(prefix.length))) return HIDDEN;
  return value === "" ? "(empty)" : short(value);
}

function short(value: string): string {
  return value.length > LONGEST || value.includes("\n") ? `(${value.length} characters)` : value;
}
