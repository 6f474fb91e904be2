/**
 * A rollout in which one of two proxies of a node cannot reach the certificate authority: the other one keeps the pods.
 * Two nodes on one machine (`lab/bed/`), with a scripted SPIRE agent and with a scripted CA of Istio's.
 */
import { strict as assert } from "node:assert";
import { get, nginx } from "../lab/bed/apps.ts";
import { type BedNode, Cluster } from "../lab/bed/cluster.ts";
import { HTTP, NAMESPACE } from "../lab/bed/mesh.ts";
import { testNeeding } from "../lab/needs.ts";
import type { Program } from "../lab/program.ts";
import { cacheProgram, Proxy } from "../lab/proxy.ts";
import { caSettings, RELAY, serveCa } from "../testkit/rust_peer_ca.ts";
import { ScriptedAgent } from "../testkit/spire/agent.ts";

const NEEDS = { namespaces: true, packages: ["curl", "iptables", "nginx"] } as const;
const PODS = [{ name: "client", node: 1 }, { name: "far", node: 2, serves: true }] as const;
type Env = Readonly<Record<string, string>>;

interface Authority {
  readonly name: string;
  /** Starts the authority, and returns the settings of the proxies. */
  serve(cluster: Cluster): Promise<Env>;
  /** Settings with which a proxy cannot reach the authority, until the returned function is called. */
  outOfReach(cluster: Cluster): { env: Env; comeBack: () => void };
}

const SPIRE: Authority = {
  name: "SPIRE",
  async serve(cluster) {
    const agent = cluster.use(await ScriptedAgent.start(`${cluster.folder}/admin.sock`, "cluster.local"));
    for (const { name } of PODS) agent.addAccount(NAMESPACE, name);
    return {
      FAKE_CA: "false",
      SPIRE_ENABLED: "true",
      SPIRE_ATTESTATION: "selectors",
      SPIRE_ADMIN_ENDPOINT_SOCKET: `unix://${agent.path}`,
    };
  },
  outOfReach({ folder }) {
    const path = `${folder}/late.sock`;
    return {
      env: { SPIRE_ADMIN_ENDPOINT_SOCKET: `unix://${path}` },
      comeBack: () => Deno.symlinkSync(`${folder}/admin.sock`, path),
    };
  },
};

const ISTIO: Authority = {
  name: "Istio's CA",
  async serve(cluster) {
    await cacheProgram(RELAY);
    await serveCa(cluster);
    return {
      ...caSettings(cluster),
      POD_NAME: "ztunnel-1",
      POD_NAMESPACE: NAMESPACE,
      SERVICE_ACCOUNT: "ztunnel",
    };
  },
  outOfReach(cluster) {
    const root = `${cluster.folder}/late-root.pem`;
    Deno.writeTextFileSync(root, "");
    return {
      env: { CA_ROOT_CA: root },
      comeBack: () => Deno.copyFileSync(`${cluster.folder}/ca-root.pem`, root),
    };
  },
};

class Scene implements AsyncDisposable {
  private constructor(readonly cluster: Cluster, readonly env: Env) {}

  static async build(authority: Authority): Promise<Scene> {
    await cacheProgram("tests/fixtures/connector.ts");
    let env: Env = {};
    const cluster = await Cluster.build({
      pods: PODS,
      env: { RUST_LOG: "info,access=error", CONNECTION_TERMINATION_DEADLINE: "1h" },
      async prepare(cluster) {
        env = await authority.serve(cluster);
        return () => env;
      },
    });
    const { namespace, name } = cluster.pod("far");
    await nginx(cluster, namespace, name);
    return new Scene(cluster, env);
  }

  get node(): BedNode {
    return this.cluster.nodes[0]!;
  }

  /** Makes calls continuously, each on a new connection. */
  caller(): Program {
    const { namespace } = this.cluster.pod("client");
    const args = [this.cluster.pod("far").ip, `${HTTP}`, "2"];
    return this.cluster.use(Proxy.fixture("tests/fixtures/connector.ts", args, namespace.name));
  }

  /** A second proxy beside the active one; the agent has sent it the node's pods. */
  async beside(env: Env): Promise<Proxy> {
    const proxy = this.cluster.launchProxy(this.node, { ...this.env, AUTHORITY_WAIT: "1s", ...env });
    await proxy.line(/has not answered within 1 s \(AUTHORITY_WAIT\)/);
    this.node.session = await this.node.agent.session();
    for (const pod of this.cluster.podsOf(this.node)) await pod.enroll();
    await this.node.session.snapshotSent();
    return proxy;
  }

  /** The client's connection to a pod of the other node. */
  async works(): Promise<boolean> {
    const { cluster } = this;
    return await get(cluster.pod("client").namespace, cluster.pod("far").ip).then(() => true, () => false);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cluster[Symbol.asyncDispose]();
  }
}

async function further(caller: Program, count: number): Promise<void> {
  const before = caller.printed.filter((line) => line.endsWith(" done")).length;
  await caller.matches(/^\d+ done$/, before + count / 500);
}

async function failuresOf(caller: Program): Promise<Record<string, number>> {
  caller.signal("SIGUSR2");
  const [, json = ""] = await caller.line(/^(\{.*\})$/);
  return JSON.parse(json).failures;
}

for (const authority of [SPIRE, ISTIO]) {
  testNeeding(
    NEEDS,
    `rollout, ${authority.name}: a new proxy without its authority leaves the pods to the old one until it answers`,
    async () => {
      await using scene = await Scene.build(authority);
      const old = scene.node.proxy;
      const caller = scene.caller();
      await further(caller, 500);
      const { env, comeBack } = authority.outOfReach(scene.cluster);
      const next = await scene.beside(env);
      await next.line(/another proxy serves the pod: it is left to that one.*uid="pod-client"/);
      await further(caller, 2000);
      assert.ok(!next.program.printed.some((line) => line.includes("marking server ready")));
      comeBack();
      await next.line(/the certificate authority answers: serving all pods of the node/);
      await next.line(/marking server ready/);
      await further(caller, 1000);
      old.signal("SIGTERM");
      await old.line(/shutdown complete.*component="inbound"/);
      await further(caller, 1000);
      assert.deepEqual(await failuresOf(caller), {});
    },
  );

  testNeeding(
    NEEDS,
    `rollout, ${authority.name}: a proxy that started without its authority refuses calls until a proxy with one replaces it`,
    async () => {
      await using scene = await Scene.build(authority);
      const { node } = scene;
      await node.proxy.stop();
      // No other proxy serves the pods. They are served, so that the agent is not delayed, and their calls fail.
      const bad = await scene.beside(authority.outOfReach(scene.cluster).env);
      assert.ok(!bad.program.printed.some((line) => line.includes("another proxy serves the pod")));
      assert.ok(!await scene.works());
      await scene.cluster.startProxy(node, scene.env);
      bad.signal("SIGTERM");
      await bad.line(/shutdown complete.*component="inbound"/);
      const caller = scene.caller();
      await further(caller, 1000);
      assert.deepEqual(await failuresOf(caller), {});
    },
  );
}

testNeeding(
  NEEDS,
  "rollout: when the old proxy ends, a new one without an authority takes over its pods",
  async () => {
    await using scene = await Scene.build(SPIRE);
    const old = scene.node.proxy;
    const next = await scene.beside(SPIRE.outOfReach(scene.cluster).env);
    await next.line(/another proxy serves the pod/);
    await old.stop("SIGKILL");
    await next.line(/serving the pod now.*uid="pod-client"/);
    assert.ok(!await scene.works());
  },
);
