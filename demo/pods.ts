/**
 * `deno task demo:pods [--once]`: two nodes and four pods as network namespaces of this machine, with the redirection
 * that Istio's node agent installs, and a proxy on each node that serves its pods inside their namespaces. Uses Istio's
 * own agent and control plane where they are built (`deno task interop:cni`). Needs root. Removes everything that it
 * created.
 *
 * Without `--once` it runs until Ctrl-C, for trying things by hand. Exit code: 0 if every claim held, 1 if one did not
 * or something could not start, 2 for a wrong command line or where something is missing, 130 if it was interrupted.
 */
import { parseArgs } from "node:util";
import { nginx } from "../lab/bed/apps.ts";
import { Cluster } from "../lab/bed/cluster.ts";
import { HTTP, SERVICE } from "../lab/bed/mesh.ts";
import { CniCluster } from "../lab/istio/cni_cluster.ts";
import { hasCni } from "../lab/istio/cni.ts";
import { lacks } from "../lab/needs.ts";
import { cacheProgram, Proxy } from "../lab/proxy.ts";
import { Claims } from "./claims.ts";
import { interruption } from "../lab/interruption.ts";
import { enrolmentChapter, removalChapter, restartChapter, strictChapter, trafficChapter } from "./pods_chapters.ts";
import { type DemoCluster, type PodName, PODS, type PodsContext, podsHeading } from "./pods_chapter.ts";
import { standardTerminal, type Terminal } from "./terminal.ts";

const INTERRUPTED = 130;
const USAGE = `usage: deno task demo:pods [--once]
  --once    end after checking every claim`;
const NEEDS = { namespaces: true, packages: ["curl", "iptables", "nginx"] } as const;
/** The agent that redirects pods and hands them to the proxy, and the control plane: real or simulated. */
const REAL = { by: "Istio's own: istio-cni and istiod", agent: "redirects its traffic and sends a descriptor" };
const SIMULATED = {
  by: "simulated by this program; `deno task interop:cni` builds the real ones",
  agent: "sends a descriptor of its namespace",
};
const CHAPTERS = [enrolmentChapter, trafficChapter, strictChapter, restartChapter, removalChapter];

async function main(): Promise<number> {
  const once = parse(Deno.args);
  if (typeof once === "string") {
    console.error(once);
    return once === USAGE ? 0 : 2;
  }
  const missing = lacks(NEEDS);
  if (missing.length > 0) {
    console.error(missing.map(({ reason, cure }) => `${reason}: ${cure}`).join("\n"));
    return 2;
  }
  const terminal = standardTerminal();
  await using stack = new AsyncDisposableStack();
  const interrupted = interruption();
  let isComplete = false;
  try {
    await Promise.race([show(terminal, stack, once).then(() => isComplete = true), interrupted]);
    if (isComplete && !once) await interrupted;
    return isComplete ? 0 : INTERRUPTED;
  } catch (error) {
    terminal.clearProgress();
    console.error(`\n${terminal.bad("The demo failed:")} ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  } finally {
    terminal.clearProgress();
  }
}

/** Whether the command line has `--once`, or a text with what is wrong. */
function parse(args: readonly string[]): boolean | string {
  try {
    const options = { once: { type: "boolean", default: false }, help: { type: "boolean", short: "h" } } as const;
    const { values } = parseArgs({ args: [...args], options });
    return values.help ? USAGE : values.once;
  } catch (error) {
    return `${error instanceof Error ? error.message : error}\n${USAGE}`;
  }
}

/** Resolves after the last chapter. */
async function show(terminal: Terminal, stack: AsyncDisposableStack, once: boolean): Promise<void> {
  terminal.say(terminal.bold("ztunnel: two nodes, their pods, and one proxy for all pods of a node"));
  terminal.progress(terminal.dim("   building"));
  const context = await build(terminal, stack);
  terminal.clearProgress();
  printIntroduction(context);
  for (const chapter of CHAPTERS) await chapter(context);
  terminal.say();
  terminal.say(terminal.good(`All ${context.claims.held} claims were checked and hold.`));
  if (!once) printCommands(context);
}

async function build(terminal: Terminal, stack: AsyncDisposableStack): Promise<PodsContext> {
  await cacheProgram("tests/fixtures/connector.ts", "tests/fixtures/tcp_app.ts", "tests/fixtures/tcp_client.ts");
  const real = hasCni();
  const env = { RUST_LOG: "info", CONNECTION_TERMINATION_DEADLINE: "30s" };
  const building: Promise<DemoCluster> = real
    ? CniCluster.build({ pods: PODS, rules: "iptables", env })
    : Cluster.build({ pods: PODS, env });
  // Also for an interruption while it is built. A cluster that failed to build has cleaned up itself.
  stack.defer(() => building.then((cluster) => cluster[Symbol.asyncDispose](), () => {}));
  const cluster = await building;
  const pod = (name: PodName) => cluster.pod(name);
  for (const { name, namespace } of cluster.pods) await nginx(cluster, namespace, name);
  await nginx(cluster, cluster.outside.namespace, "outside");
  const app = cluster.use(Proxy.fixture("tests/fixtures/tcp_app.ts", ["::", "7000"], pod("far").namespace.name));
  await app.line(/listening/);
  return { cluster, terminal, claims: new Claims(terminal), pod, ...real ? REAL : SIMULATED };
}

function printIntroduction({ cluster, terminal, pod, by }: PodsContext): void {
  const row = (name: string, text: string) => terminal.say(`   ${terminal.dim(name.padEnd(9))}${text}`);
  row("agents", by);
  for (const node of cluster.nodes) {
    row(node.name, `${node.ip.padEnd(12)}proxy pid ${node.proxy.pid} in namespace ${node.namespace.name}`);
    for (const each of cluster.podsOf(node)) {
      row("", `${each.ip.padEnd(12)}pod ${each.name.padEnd(8)}in namespace ${each.namespace.name}`);
    }
  }
  row("outside", `${cluster.outside.ip.padEnd(12)}a host that no proxy serves`);
  row("service", `${SERVICE.ip}, ${SERVICE.ip6}: near and far, addresses that exist in the mesh only`);
  row("policy", `"${pod("strict").name}" refuses connections without an identity`);
}

function printCommands(context: PodsContext): void {
  const { terminal, pod, cluster } = context;
  const row = (command: string, what: string) => {
    terminal.say(`   ${terminal.dim(`# ${what}`)}`);
    terminal.say(`   ${command}`);
  };
  const client = `ip netns exec ${pod("client").namespace.name}`;
  podsHeading(context, "Try it by hand");
  row(`${client} curl http://${SERVICE.ip}/`, "from a pod, by the service's address");
  row(`${client} ss -ltnp`, "what listens in a pod");
  row(
    `ip netns exec ${cluster.outside.namespace.name} curl -m 5 http://${pod("strict").ip}:${HTTP}/`,
    "plain text: refused",
  );
  row(`ip netns exec ${pod("client").namespace.name} iptables-save -t nat`, "the redirection");
  terminal.say();
  terminal.say(terminal.dim("Ctrl-C ends the demo."));
}

Deno.exit(await main());
