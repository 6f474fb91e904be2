/** The chapters about pods. Each throws `ClaimFailed` where a claim does not hold. */
import { failure, get } from "../lab/bed/apps.ts";
import { HTTP, identityOf, SERVICE } from "../lab/bed/mesh.ts";
import { eventually } from "../lab/eventually.ts";
import type { Program } from "../lab/program.ts";
import { Proxy } from "../lab/proxy.ts";
import { accessLine, type DemoPod, type PodsContext, podsHeading, showCommand, showWords } from "./pods_chapter.ts";
import { count } from "./terminal.ts";

const LISTENERS = [15001, 15006, 15008];
/** Connections made while a proxy is replaced. */
const CALLS = 5000;

/** Chapter 1: the agent hands over a namespace, and the proxy opens its listeners in it. */
export async function enrolmentChapter(context: PodsContext): Promise<void> {
  const { claims } = context;
  podsHeading(context, "1  A pod is handed over");
  const near = context.pod("near");
  const { namespace, node } = near;
  await near.dismiss();
  await listenersGone(near);
  claims.check((await listening(near)).length === 0, "nothing listens in the pod yet", () => "something does");
  const start = performance.now();
  await near.enroll();
  const millis = performance.now() - start;
  const ports = await listening(near);
  showCommand(context, `ip netns exec ${namespace.name} ss -ltn`, await namespace.run("ss", "-ltn"));
  claims.check(
    LISTENERS.every((port) => ports.includes(port)),
    `the agent ${context.agent}, and gets its answer after ${millis.toFixed(1)} ms: all three listeners accept`,
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
export async function trafficChapter(context: PodsContext): Promise<void> {
  const { claims, cluster } = context;
  podsHeading(context, "2  Traffic between pods without changes to their applications");
  const client = context.pod("client");
  for (const [name, where] of [["near", "on the same node"], ["far", "on the other node"]] as const) {
    const server = context.pod(name);
    const answer = await get(client.namespace, server.ip);
    showCommand(context, `ip netns exec ${client.namespace.name} curl http://${server.ip}:${HTTP}/`, answer);
    const line = await accessLine(server.node, 'direction="inbound"', `dst.hbone_addr=${server.ip}:${HTTP}`);
    showWords(context, server.node, line, ["src.identity", "dst.identity", "dst.hbone_addr"]);
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
    `to a host outside of the mesh: plain TCP, "${plain}"`,
    () => plain,
  );
}

/** Chapter 3: connections from outside of the mesh. */
export async function strictChapter(context: PodsContext): Promise<void> {
  const { claims, cluster: { outside } } = context;
  podsHeading(context, "3  From outside of the mesh");
  const [near, strict, client] = [context.pod("near"), context.pod("strict"), context.pod("client")];
  const open = await get(outside.namespace, near.ip);
  claims.check(
    open === `near from ${outside.ip}`,
    `plain text is accepted where no policy forbids it: "${open}"`,
    () => open,
  );
  const code = await failure(outside.namespace, strict.ip);
  const line = await accessLine(strict.node, `src.addr=${outside.ip}`, `dst.addr=${strict.ip}:${HTTP}`);
  showWords(context, strict.node, line, ["src.addr", "dst.workload", "error"]);
  claims.check(code !== 0, "a pod with a strict policy refuses a connection without an identity", () => "it answered");
  const fine = await get(client.namespace, strict.ip);
  claims.check(fine === `strict from ${client.ip}`, `and accepts one with an identity: "${fine}"`, () => fine);
}

/** Chapter 4: another proxy takes over during traffic. */
export async function restartChapter(context: PodsContext): Promise<void> {
  const { claims, cluster, terminal } = context;
  podsHeading(context, "4  The proxy is replaced during traffic");
  const [client, far] = [context.pod("client"), context.pod("far")];
  const { node } = client;
  const caller = fixture(context, "connector.ts", client, far.ip, `${HTTP}`, "4");
  await done(caller, 1000);
  const held = fixture(context, "tcp_client.ts", client, far.ip, "7000", "hold", "hold");
  await held.line(/connected/);
  const old = node.proxy;
  await cluster.startProxy(node);
  terminal.say(
    `   pid ${node.proxy.pid} has its snapshot from the agent and is ready; pid ${old.pid} gets SIGTERM`,
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
    `${count(whole)} connections in the meantime, none refused, none reset`,
    () => json,
  );
  claims.check(open, "a connection from before still works through the old proxy", () => held.printed.join());
  held.signal("SIGUSR2");
  const { code } = await old.ended();
  claims.check(code === 0, "the old proxy ends with its last connection", () => `exit code ${code}`);
}

/** Chapter 5: a pod is removed, and the proxy releases everything of it. */
export async function removalChapter(context: PodsContext): Promise<void> {
  const { claims } = context;
  podsHeading(context, "5  A pod is removed");
  const [client, near] = [context.pod("client"), context.pod("near")];
  const { node } = near;
  await get(client.namespace, near.ip);
  const before = node.proxy.descriptors;
  await near.dismiss();
  await listenersGone(near);
  await eventually("the end of its descriptors", () => node.proxy.descriptors <= before - 1 - LISTENERS.length);
  claims.check(
    node.proxy.descriptors <= before - 1 - LISTENERS.length,
    `its namespace and its listeners are released: ${before} descriptors, now ${node.proxy.descriptors}`,
    () => `${before} descriptors, now ${node.proxy.descriptors}`,
  );
  claims.check(await failure(client.namespace, near.ip) !== 0, "connections to it fail", () => "it answered");
  await near.enroll();
  const back = await get(client.namespace, near.ip);
  claims.check(back === `near from ${client.ip}`, `it is added again: "${back}"`, () => back);
}

/** Waits until no proxy listens in the pod: the agent gets its answer when the removal begins. */
async function listenersGone(pod: DemoPod): Promise<void> {
  await eventually(`the end of the listeners in ${pod.name}`, async () => (await listening(pod)).length === 0);
}

/** Ports on which something listens in the pod. */
async function listening({ namespace }: DemoPod): Promise<number[]> {
  const table = await namespace.run("ss", "-ltnH");
  return table.split("\n").map((line) => Number(/:(\d+)\s/.exec(line)?.[1])).filter((port) => port > 15000);
}

function fixture({ cluster }: PodsContext, program: string, pod: DemoPod, ...args: readonly string[]): Program {
  return cluster.use(Proxy.fixture(`tests/fixtures/${program}`, args, pod.namespace.name));
}

/** `connector.ts` counts in steps of 500. */
async function done(caller: Program, calls: number): Promise<void> {
  await caller.matches(/^\d+ done$/, calls / 500);
}
