/**
 * Rollouts under load: the proxy of a node is replaced again and again, as the DaemonSet with `maxSurge: 1` does, while
 * an application makes new connections without a pause. Two nodes on one machine (`lab/bed/`).
 */
import { nginx } from "../lab/bed/apps.ts";
import { type BedNode, Cluster } from "../lab/bed/cluster.ts";
import { HTTP } from "../lab/bed/mesh.ts";
import type { Program } from "../lab/program.ts";
import { cacheProgram, Proxy } from "../lab/proxy.ts";

/** Whose proxies are replaced: those of the node of the caller, or of the node that is called; or of both in turns. */
export const ROLLOUT_SIDES = ["client", "server", "both"] as const;
type RolloutSide = typeof ROLLOUT_SIDES[number];

/** What a rollout is to show. */
interface RolloutPlan {
  readonly side: RolloutSide;
  /** Proxies that are replaced. */
  readonly restarts: number;
  /** Connections that are made meanwhile, at least. */
  readonly calls: number;
  /** How many of them are open at a time. */
  readonly lanes: number;
}

/** What came of it. */
interface RolloutResult {
  readonly restarts: number;
  /** Connections that got their whole answer. */
  readonly whole: number;
  /** How many of the others failed, by the caller's error. */
  readonly failures: Readonly<Record<string, number>>;
}

const CONNECTOR = "tests/fixtures/connector.ts";
/** `connector.ts` reports in steps of so many connections. */
const STEP = 500;

/**
 * Runs one rollout. Restarts are spread over the calls: the next one waits for its share of them. Each proxy ends by
 * itself after SIGTERM; one that does not, or not with status 0, is an error. Needs namespaces, iptables and nginx.
 */
export async function rollOut(
  plan: RolloutPlan,
  onRestart: (count: number) => void = () => {},
): Promise<RolloutResult> {
  await cacheProgram(CONNECTOR);
  await using cluster = await Cluster.build({
    pods: [{ name: "client", node: 1 }, { name: "server", node: 2 }],
    env: { RUST_LOG: "info,access=error", CONNECTION_TERMINATION_DEADLINE: "1h" },
  });
  const client = cluster.pod("client"), server = cluster.pod("server");
  await nginx(cluster, server.namespace, "server");
  // Ports of closed connections stay in use for a minute.
  for (const { namespace } of [client, server]) {
    await namespace.run("sh", "-c", "echo 1024 65535 > /proc/sys/net/ipv4/ip_local_port_range");
  }
  const args = [server.ip, `${HTTP}`, `${plan.lanes}`];
  const caller = cluster.use(Proxy.fixture(CONNECTOR, args, client.namespace.name));
  await madeBy(caller, STEP);
  for (let count = 1; count <= plan.restarts; count++) {
    await replaceProxy(cluster, nodeOf(plan.side, count, client.node, server.node));
    onRestart(count);
    await madeBy(caller, plan.calls * count / plan.restarts);
  }
  caller.signal("SIGUSR2");
  const [, json = ""] = await caller.line(/^(\{.*\})$/);
  return { restarts: plan.restarts, ...JSON.parse(json) };
}

function nodeOf(side: RolloutSide, count: number, client: BedNode, server: BedNode): BedNode {
  if (side === "both") return count % 2 === 0 ? client : server;
  return side === "client" ? client : server;
}

/** The new proxy serves the pods beside the old one, which then drains. */
async function replaceProxy(cluster: Cluster, node: BedNode): Promise<void> {
  const old = node.proxy;
  await cluster.startProxy(node);
  const { code, output } = await old.stop();
  if (code !== 0) throw new Error(`a replaced proxy ended with ${code}:\n${output.slice(-2000)}`);
}

/** Waits until the caller has made `count` connections in all. */
async function madeBy(caller: Program, count: number): Promise<void> {
  await caller.matches(/^\d+ done$/, Math.ceil(count / STEP));
}
