/**
 * Pods, Istio's node agent and proxies start and end. Agent and istiod are the real ones. The proxy of node 1 is ours;
 * that of node 2 is ours or the Rust ztunnel.
 */
import { strict as assert } from "node:assert";
import { failure, get, nginx } from "../../lab/bed/apps.ts";
import { HTTP, NAMESPACE, SERVICE } from "../../lab/bed/mesh.ts";
import { type CniAgent, testWithCni } from "../../lab/istio/cni.ts";
import { reference } from "../../lab/istio/istiod_objects.ts";
import { eventually } from "../../lab/eventually.ts";
import type { Program } from "../../lab/program.ts";
import { cacheProgram, Proxy } from "../../lab/proxy.ts";
import { CniCluster, type CniClusterPlan, type NodeWithAgent, type PodInMesh } from "../../lab/istio/cni_cluster.ts";

const NEEDS = { namespaces: true, packages: ["curl", "iptables", "nginx"] } as const;
const PROGRAMS = ["tcp_app.ts", "tcp_client.ts", "connector.ts"].map((name) => `tests/fixtures/${name}`);
const [APP = "", CLIENT = "", CONNECTOR = ""] = PROGRAMS;
const APP_PORT = 7000;

const STEPS: readonly (readonly [string, (scene: Scene) => Promise<void>])[] = [
  ["a pod ends for agent and istiod, and comes back: others do not notice", podEndsAndReturns],
  ["a pod that cannot be served: the agent is told why, the proxy tries again, others go on", podIsRefused],
  [
    "inpod G12, G13 two proxies: pods are added to the newer, deleted at both; then the older is all there is",
    twoProxies,
  ],
  ["inpod G11 the agent is killed: pods are served meanwhile, and its next snapshot decides", agentForgets],
  ["inpod G10 the agent is killed under traffic, and finds all pods again: nothing fails", agentRemembers],
  ["a proxy is replaced: the agent tells the new one all, the old one ends what it has begun", proxyIsReplaced],
  ["a pod's sandbox is made anew: served where it is now, and nowhere else", sandboxIsReplaced],
];

const RUST = Deno.env.get("ZTUNNEL_PEER");
const CASES = [
  { who: "ours", env: [], executable: () => undefined },
  { who: "the Rust ztunnel", env: ["ZTUNNEL_PEER"], executable: (node: number) => node === 2 ? RUST : undefined },
] as const;

for (const { who, env, executable } of CASES) {
  testWithCni({ ...NEEDS, env }, `cni lifecycle: on the other node ${who}`, async (t) => {
    await using scene = await Scene.build(executable);
    for (const [name, step] of STEPS) await t.step(name, () => step(scene));
  });
}

/** `client` calls `near` and `late` on its own node, and `far` on the other. */
class Scene implements AsyncDisposable {
  readonly client: PodInMesh;
  readonly near: PodInMesh;
  readonly late: PodInMesh;
  readonly far: PodInMesh;

  private constructor(readonly cluster: CniCluster) {
    [this.client, this.near, this.late, this.far] = cluster.pods as [PodInMesh, PodInMesh, PodInMesh, PodInMesh];
  }

  static async build(executable: NonNullable<CniClusterPlan["executable"]>): Promise<Scene> {
    await cacheProgram(...PROGRAMS);
    const pods = [
      { name: "client", node: 1 },
      { name: "near", node: 1 },
      { name: "late", node: 1 },
      { name: "server", node: 2, serves: true },
    ];
    const scene = new Scene(await CniCluster.build({ pods, rules: "iptables", executable }));
    const { near, late, far } = scene;
    for (const { namespace, name } of [near, late, far]) await nginx(scene.cluster, namespace, name);
    await scene.fixture(APP, far, "::", `${APP_PORT}`).line(/listening/);
    return scene;
  }

  get node(): NodeWithAgent {
    return this.client.node;
  }

  get agent(): CniAgent {
    return this.node.agent;
  }

  fixture(program: string, { namespace }: PodInMesh, ...args: readonly string[]): Program {
    return this.cluster.use(Proxy.fixture(program, args, namespace.name));
  }

  /** A connection to `far` that stays open. */
  async hold(): Promise<Program> {
    const program = this.fixture(CLIENT, this.client, this.far.ip, `${APP_PORT}`, "hold", "hold");
    await program.line(/connected/);
    return program;
  }

  async answers(...pods: readonly PodInMesh[]): Promise<void> {
    for (const { name, ip } of pods) {
      assert.equal(await get(this.client.namespace, ip), `${name} from ${this.client.ip}`);
    }
  }

  async refuses({ name, ip }: PodInMesh): Promise<void> {
    await eventually(`a refusal by ${name}`, async () => await failure(this.client.namespace, ip) !== 0);
  }

  /** The proxy of the client's node is ready, or it is not. */
  async readiness(wanted: boolean): Promise<void> {
    const { port } = await this.node.proxy.place("readiness");
    const ask = ["-s", "-o", "/dev/null", "-w", "%{http_code}", `http://127.0.0.1:${port}/healthz/ready`];
    const status = wanted ? "200" : "500";
    await eventually(`status ${status}`, async () => await this.node.namespace.run("curl", ...ask) === status);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cluster[Symbol.asyncDispose]();
  }
}

async function podEndsAndReturns(scene: Scene): Promise<void> {
  const { client, near, far, cluster } = scene;
  const { istiod } = cluster;
  const byService = async () => await failure(client.namespace, SERVICE.ip, SERVICE.port) === 0;
  const held = await scene.hold();
  await istiod.delete(reference("Pod", far.name, NAMESPACE));
  assert.equal(await far.node.agent.end(far.agentPod), "");
  await held.line(/^(end|reset)$/);
  await scene.refuses(far);
  assert.equal(await byService(), false);
  await scene.answers(near);
  await istiod.apply(cluster.podObject(far));
  await far.enroll();
  await eventually("an answer of the service", byService);
  await scene.answers(far);
}

async function podIsRefused(scene: Scene): Promise<void> {
  const { late, far, agent, node } = scene;
  const { uid } = late.agentPod;
  assert.equal(await agent.end(late.agentPod), "");
  // It has had no connections yet, which would keep another listener from the port.
  const squatter = scene.fixture(APP, late, "0.0.0.0", "15008");
  await squatter.line(/listening/);
  const reason = /^got ack error: failure to start proxy : .*\[::\]:15008.*Address already in use/;
  assert.match(await agent.add(late.agentPod), reason);
  assert.match(await agent.add(late.agentPod), reason, "as an agent tries again");
  assert.equal((await agent.pods())[uid], true, "the agent keeps it for the next proxy");
  await scene.answers(far);
  await squatter.stop();
  await node.proxy.line(new RegExp(`retrying workload.*uid="${uid}"`));
  await eventually("its proxy", async () => await failure(scene.client.namespace, late.ip) === 0);
  assert.equal(await agent.add(late.agentPod), "", "the agent's next try finds it served");
  await scene.answers(late);
}

async function agentForgets(scene: Scene): Promise<void> {
  const { client, near, late, far, agent, node } = scene;
  const held = await scene.hold();
  await agent.kill();
  await node.proxy.line(/failed to connect to the Istio CNI node agent/);
  await scene.readiness(false);
  await scene.answers(near, far);
  // It has not found the client's namespace, and the other pods have left its node.
  await agent.start([{ ...client.agentPod, netns: "" }]);
  await agent.line(new RegExp(`netns is not available for pod, sending 'keep' to ztunnel.*${client.agentPod.uid}`));
  await agent.line(/snapshot sent to ztunnel/);
  await scene.readiness(true);
  await scene.refuses(near);
  await scene.refuses(late);
  await scene.answers(far);
  assert.deepEqual(held.printed, ["connected"], "what was open is open");
  held.signal("SIGUSR2");
  for (const pod of [near, late]) await pod.enroll();
  await scene.answers(near, late);
}

async function agentRemembers(scene: Scene): Promise<void> {
  const { client, near, late, far, agent } = scene;
  const pods = [client, near, late].map(({ agentPod }) => agentPod);
  const held = await scene.hold();
  const callers = [near, far].map(({ ip }) => scene.fixture(CONNECTOR, client, ip, `${HTTP}`, "2"));
  for (const caller of callers) await connections(caller, 500);
  await agent.kill();
  for (const caller of callers) await connections(caller, 1000);
  await agent.start(pods);
  for (const { uid } of pods) await agent.line(new RegExp(`sending pod to ztunnel as part of snapshot.*${uid}`));
  await agent.line(/snapshot sent to ztunnel/);
  await scene.readiness(true);
  for (const caller of callers) {
    await connections(caller, 2000);
    assert.deepEqual(await failures(caller), {});
  }
  assert.deepEqual(held.printed, ["connected"]);
  held.signal("SIGUSR2");
}

async function twoProxies(scene: Scene): Promise<void> {
  const { late, node, agent, cluster } = scene;
  const older = node.proxy;
  await cluster.startProxy(node);
  const newer = node.proxy;
  const told = (proxy: Proxy, what: string) =>
    proxy.lines.filter(({ message, fields }) => message.startsWith(what) && fields.get("uid") === late.agentPod.uid)
      .length;
  const added = (proxy: Proxy) => told(proxy, "pod received, starting proxy");
  const before = { older: added(older), newer: added(newer), deleted: told(older, "pod delete request") };
  assert.equal(before.newer, 1, "as part of the snapshot");
  assert.equal(await agent.end(late.agentPod), "");
  // The agent has their answers, but their output is not read yet.
  await eventually("its end at the older", () => told(older, "pod delete request") === before.deleted + 1);
  await eventually("its end at the newer", () => told(newer, "pod delete request") === 1);
  await late.enroll();
  await eventually("its start at the newer", () => added(newer) === before.newer + 1);
  assert.equal((await newer.stop()).code, 0);
  node.proxy = older;
  await late.dismiss();
  await eventually("the older's turn", async () => await agent.add(late.agentPod) === "");
  await eventually("its start at the older", () => added(older) === before.older + 1);
  await scene.answers(late);
}

async function proxyIsReplaced(scene: Scene): Promise<void> {
  const { near, far, agent, node, cluster } = scene;
  const held = await scene.hold();
  const old = node.proxy;
  await cluster.startProxy(node);
  await agent.line(/new ztunnel connected, total connected: 2/);
  old.signal("SIGTERM");
  await old.line(/shutdown complete.*component="inbound"/);
  await scene.answers(near, far);
  assert.deepEqual(held.printed, ["connected"]);
  held.signal("SIGUSR2");
  assert.equal((await old.ended()).code, 0);
  await scene.answers(near, far);
}

/** The same pod in another namespace with other addresses, as after a failed start. */
async function sandboxIsReplaced(scene: Scene): Promise<void> {
  const { client, late: before, agent, cluster } = scene;
  const after = await cluster.makeSandbox(before.name, before.node);
  await nginx(cluster, after.namespace, `new-${after.name}`);
  await cluster.istiod.apply(cluster.podObject(after));
  assert.equal(await agent.add(after.agentPod), "");
  assert.equal(await get(client.namespace, after.ip), `new-${after.name} from ${client.ip}`);
  await scene.refuses(before);
}

/** Waits until `connector.ts` has made `count` of them. */
async function connections(connector: Program, count: number): Promise<void> {
  await connector.matches(/^\d+ done$/, count / 500);
}

/** The final report of `connector.ts`. */
async function failures(connector: Program): Promise<Record<string, number>> {
  connector.signal("SIGUSR2");
  const [, json = ""] = await connector.line(/^(\{.*\})$/);
  return JSON.parse(json).failures;
}
