/** What happens to pods on a node, told chapter by chapter. Each throws `ClaimFailed` where a claim does not hold. */
import { failure, get } from "../lab/bed/apps.ts";
import { HTTP, identityOf, SERVICE } from "../lab/bed/mesh.ts";
import { eventually } from "../lab/patience.ts";
import type { Program } from "../lab/program.ts";
import { Proxy } from "../lab/proxy.ts";
import { accessLine, type DemoPod, podsHeading, type PodsStage, showCommand, showWords } from "./pods_stage.ts";
import { count } from "./terminal.ts";

const LISTENERS = [15001, 15006, 15008];
/** Connections under way while a proxy is replaced. */
const CALLS = 5000;

/** Chapter 1: a namespace comes in, and the listeners of its pod stand in there. */
export async function enrolmentChapter(stage: PodsStage): Promise<void> {
  const { claims } = stage;
  podsHeading(stage, "1  A pod is handed over");
  const near = stage.pod("near");
  const { namespace, node } = near;
  await near.dismiss();
  await deserted(near);
  claims.check((await listening(near)).length === 0, "nothing listens in the pod yet", () => "something does");
  const start = performance.now();
  await near.enroll();
  const millis = performance.now() - start;
  const ports = await listening(near);
  showCommand(stage, `ip netns exec ${namespace.name} ss -ltn`, await namespace.run("ss", "-ltn"));
  claims.check(
    LISTENERS.every((port) => ports.includes(port)),
    `the agent ${stage.agent}, and ${millis.toFixed(1)} ms after it began it has its answer: all three accept`,
    () => ports.join(),
  );
  const outside = await node.namespace.run("ss", "-ltn");
  claims.check(
    !LISTENERS.some((port) => outside.includes(`:${port} `)),
    "the proxy itself runs in the node's namespace, where none of these ports is taken",
    () => outside,
  );
}

/** Chapter 2: pod to pod, on a node and across nodes, by address and by service. */
export async function trafficChapter(stage: PodsStage): Promise<void> {
  const { claims, cluster } = stage;
  podsHeading(stage, "2  Traffic between pods that know nothing of it");
  const client = stage.pod("client");
  for (const [name, where] of [["near", "on the same node"], ["far", "on the other node"]] as const) {
    const server = stage.pod(name);
    const answer = await get(client.namespace, server.ip);
    showCommand(stage, `ip netns exec ${client.namespace.name} curl http://${server.ip}:${HTTP}/`, answer);
    const line = await accessLine(server.node, 'direction="inbound"', `dst.hbone_addr=${server.ip}:${HTTP}`);
    showWords(stage, server.node, line, ["src.identity", "dst.identity", "dst.hbone_addr"]);
    claims.check(
      answer === `${name} from ${client.ip}` && line.fields.get("src.identity") === identityOf("client"),
      `${where}: mutual TLS between the pods' identities, and the application sees the client's own address`,
      () => answer,
    );
  }
  const answer = await get(client.namespace, `[${SERVICE.ip6}]`, SERVICE.port);
  claims.check(
    ["near", "far"].some((name) => answer === `${name} from ${client.ip6}`),
    `by the service's address, over IPv6: "${answer}"`,
    () => answer,
  );
  const { outside } = cluster;
  const plain = await get(client.namespace, outside.ip);
  claims.check(
    plain === `outside from ${client.ip}`,
    `to a host that is not of the mesh: plain TCP, "${plain}"`,
    () => plain,
  );
}

/** Chapter 3: who comes from outside of the mesh. */
export async function strictChapter(stage: PodsStage): Promise<void> {
  const { claims, cluster: { outside } } = stage;
  podsHeading(stage, "3  From outside of the mesh");
  const [near, strict, client] = [stage.pod("near"), stage.pod("strict"), stage.pod("client")];
  const open = await get(outside.namespace, near.ip);
  claims.check(
    open === `near from ${outside.ip}`,
    `plain text is let in where no policy forbids it: "${open}"`,
    () => open,
  );
  const code = await failure(outside.namespace, strict.ip);
  const line = await accessLine(strict.node, `src.addr=${outside.ip}`, `dst.addr=${strict.ip}:${HTTP}`);
  showWords(stage, strict.node, line, ["src.addr", "dst.workload", "error"]);
  claims.check(code !== 0, "a pod under a strict policy takes nothing without an identity", () => "it answered");
  const fine = await get(client.namespace, strict.ip);
  claims.check(fine === `strict from ${client.ip}`, `and everything with one: "${fine}"`, () => fine);
}

/** Chapter 4: another proxy takes over under traffic. */
export async function restartChapter(stage: PodsStage): Promise<void> {
  const { claims, cluster, terminal } = stage;
  podsHeading(stage, "4  The proxy is replaced under traffic");
  const [client, far] = [stage.pod("client"), stage.pod("far")];
  const { node } = client;
  const caller = fixture(stage, "connector.ts", client, far.ip, `${HTTP}`, "4");
  await done(caller, 1000);
  const held = fixture(stage, "tcp_client.ts", client, far.ip, "7000", "hold", "hold");
  await held.line(/connected/);
  const old = node.proxy;
  await cluster.startProxy(node);
  terminal.say(
    `   pid ${node.proxy.pid} has its snapshot from the agent and is ready; pid ${old.pid} is asked to stop`,
  );
  old.signal("SIGTERM");
  await old.line(/shutdown complete.*component="inbound"/);
  await done(caller, CALLS);
  const open = held.printed.length === 1;
  caller.signal("SIGUSR2");
  const [, json = ""] = await caller.line(/^(\{.*\})$/);
  const { whole, failures } = JSON.parse(json);
  claims.check(
    Object.keys(failures).length === 0,
    `${count(whole)} connections meanwhile, none refused, none reset`,
    () => json,
  );
  claims.check(open, "a connection from before goes on through the old proxy", () => held.printed.join());
  held.signal("SIGUSR2");
  const { code } = await old.ended();
  claims.check(code === 0, "with its last connection the old proxy ends", () => `exit code ${code}`);
}

/** Chapter 5: a pod leaves, and nothing of it stays. */
export async function farewellChapter(stage: PodsStage): Promise<void> {
  const { claims } = stage;
  podsHeading(stage, "5  A pod leaves");
  const [client, near] = [stage.pod("client"), stage.pod("near")];
  const { node } = near;
  await get(client.namespace, near.ip);
  const before = node.proxy.descriptors;
  await near.dismiss();
  await deserted(near);
  await eventually("the end of its descriptors", () => node.proxy.descriptors <= before - 1 - LISTENERS.length);
  claims.check(
    node.proxy.descriptors <= before - 1 - LISTENERS.length,
    `its namespace and its listeners are let go: ${before} descriptors, now ${node.proxy.descriptors}`,
    () => `${before} descriptors, now ${node.proxy.descriptors}`,
  );
  claims.check(await failure(client.namespace, near.ip) !== 0, "calls to it fail", () => "it answered");
  await near.enroll();
  const back = await get(client.namespace, near.ip);
  claims.check(back === `near from ${client.ip}`, `it comes back: "${back}"`, () => back);
}

/** The agent has its answer when the end has begun: waits until no proxy listens in the pod. */
async function deserted(pod: DemoPod): Promise<void> {
  await eventually(`the end of the listeners in ${pod.name}`, async () => (await listening(pod)).length === 0);
}

/** Ports on which something listens in the pod. */
async function listening({ namespace }: DemoPod): Promise<number[]> {
  const table = await namespace.run("ss", "-ltnH");
  return table.split("\n").map((line) => Number(/:(\d+)\s/.exec(line)?.[1])).filter((port) => port > 15000);
}

function fixture({ cluster }: PodsStage, program: string, pod: DemoPod, ...args: readonly string[]): Program {
  return cluster.use(Proxy.fixture(`tests/fixtures/${program}`, args, pod.namespace.name));
}

/** `connector.ts` counts in steps of 500. */
async function done(caller: Program, calls: number): Promise<void> {
  await caller.matches(/^\d+ done$/, calls / 500);
}
