/**
 * Starts a pair of ztunnels, ours or the Rust one.
 *
 * Dedicated: each runs in the namespace of its one workload. Shared: each runs in its own empty namespace, and gets the
 * namespace of its workload as a pod from an agent that the benchmark simulates.
 */
import { ZdsAgent, type ZdsSession } from "../lab/zds_agent.ts";
import { type Started, waitForPorts } from "./processes.ts";
import type { Pair, PairSetup } from "./pair.ts";
import { BULK_PORT, ECHO_PORT, HTTP_PORT, PACKET_MARK, type Side } from "./rig.ts";

/** The command that starts a proxy with these settings. */
export type CommandFor = (settings: Readonly<Record<string, string>>) => readonly string[];

/** `PROXY_MODE` */
export type Mode = "dedicated" | "shared";

const REPOSITORY = new URL("../", import.meta.url).pathname;
const START_MILLIS = 30_000;
const NAMESPACE = "default";

/** Prefix for a command in a new namespace, which ends with the process. The process id stays the same. */
const IN_EMPTY_NAMESPACE = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"];

/** The workload of a side, and its service account. */
const WORKLOADS: Readonly<Record<Side, string>> = { client: "a", server: "b" };

/** The first must be ready before the second starts, as it may be the one that creates the shared CA. */
export async function startZtunnels(
  setup: PairSetup,
  command: CommandFor,
  env: Readonly<Record<string, string>>,
  mode: Mode,
): Promise<Omit<Pair, "tls">> {
  const all = { ...env, ...setup.variant.env, ...await setup.variant.prepare?.(setup) };
  const start = (side: Side) =>
    mode === "shared" ? startShared(setup, side, command, all) : startDedicated(setup, side, command, all);
  const client = await start("client");
  if (setup.link.kind === "loopback") return { client, server: client };
  for (const port of [HTTP_PORT, BULK_PORT, ECHO_PORT]) await setup.link.redirect(port, 15001);
  return { client, server: await start("server") };
}

async function startDedicated(
  { processes, link, mesh, variant }: PairSetup,
  side: Side,
  command: CommandFor,
  env: Readonly<Record<string, string>>,
): Promise<Started> {
  const own = {
    PROXY_MODE: "dedicated",
    PROXY_WORKLOAD_INFO: `${NAMESPACE}/${WORKLOADS[side]}/${WORKLOADS[side]}`,
    // A mark needs CAP_NET_ADMIN, which only the run with namespaces has.
    ...(link.kind === "namespaces" ? { PACKET_MARK: `${PACKET_MARK}` } : { UNSTABLE_ENABLE_SOCKS5: "true" }),
  };
  const settings = { ...environment(mesh, side), ...own, ...env };
  const argv = [...link.inside(side), ...variant.before?.(side) ?? [], ...command(settings)];
  const child = processes.start(`proxy-${side}`, argv, { env: settings, cwd: REPOSITORY });
  await waitForPorts(child, [15001, 15008], START_MILLIS);
  return child;
}

async function startShared(
  { processes, link, mesh, directory, variant }: PairSetup,
  side: Side,
  command: CommandFor,
  env: Readonly<Record<string, string>>,
): Promise<Started> {
  const path = link.namespaces?.[side];
  if (path === undefined) throw new Error("Cannot run shared mode without network namespaces");
  const agent = new ZdsAgent(`${directory}/zds-${side}.sock`);
  processes.onStop(() => agent[Symbol.asyncDispose]());
  const own = {
    PROXY_MODE: "shared",
    PACKET_MARK: `${PACKET_MARK}`,
    INPOD_UDS: agent.path,
  };
  const settings = { ...environment(mesh, side), ...own, ...env };
  const argv = [...IN_EMPTY_NAMESPACE, ...variant.before?.(side) ?? [], ...command(settings)];
  const child = processes.start(`proxy-${side}`, argv, { env: settings, cwd: REPOSITORY });
  await handOver(await agent.session(), WORKLOADS[side], path);
  return child;
}

/** Hands a pod to the proxy. Resolves when the pod's listeners accept. */
async function handOver(session: ZdsSession, name: string, path: string): Promise<void> {
  const error = await session.add({ uid: `pod-${name}`, name, namespace: NAMESPACE, serviceAccount: name, path });
  if (error !== "") throw new Error(`Cannot hand over pod ${name}: ${error}`);
  await session.snapshotSent();
}

function environment(mesh: string, side: Side): Record<string, string> {
  return {
    FAKE_CA: "true",
    XDS_ADDRESS: "",
    LOCAL_XDS_PATH: mesh,
    NODE_NAME: `n${WORKLOADS[side]}`,
    ENABLE_ORIG_SRC: "false",
    IPV6_ENABLED: "false",
    ISTIO_META_DNS_CAPTURE: "false",
    ZTUNNEL_WORKER_THREADS: "1",
    RUST_LOG: "info",
  };
}
