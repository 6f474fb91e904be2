/**
 * Pods and their traffic while pods, proxies and agents start and end: two nodes on one machine (`lab/bed/`), real
 * programs, real redirection.
 */
import { strict as assert } from "node:assert";
import { HTTP, identityOf } from "../lab/bed/mesh.ts";
import { failure, get, nginx } from "../lab/bed/apps.ts";
import { type BedNode, type BedPod, Cluster, type ClusterPlan } from "../lab/bed/cluster.ts";
import { commandName } from "../lab/commands.ts";
import { testNeeding } from "../lab/needs.ts";
import { eventually } from "../lab/eventually.ts";
import type { Program } from "../lab/program.ts";
import { cacheProgram, Proxy } from "../lab/proxy.ts";

const NC = commandName("nc");

const NEEDS = { namespaces: true, packages: ["curl", "iptables", "nginx"] } as const;
const APP = 7000;
const PODS = [{ name: "client", node: 1 }, { name: "near", node: 1 }, { name: "far", node: 2 }] as const;

class Scene implements AsyncDisposable {
  private constructor(readonly cluster: Cluster) {}

  static async build(
    env: Readonly<Record<string, string>> = {},
    more: Partial<ClusterPlan> = {},
  ): Promise<Scene> {
    await cacheProgram("tests/fixtures/connector.ts", "tests/fixtures/tcp_app.ts", "tests/fixtures/tcp_client.ts");
    const cluster = await Cluster.build({ pods: PODS, env, ...more });
    const scene = new Scene(cluster);
    for (const name of ["near", "far"]) {
      await nginx(cluster, cluster.pod(name).namespace, name);
      await scene.fixture("tcp_app.ts", cluster.pod(name), "::", `${APP}`).line(/listening/);
    }
    return scene;
  }

  get client(): BedPod {
    return this.cluster.pod("client");
  }
  get near(): BedPod {
    return this.cluster.pod("near");
  }
  get far(): BedPod {
    return this.cluster.pod("far");
  }
  get node(): BedNode {
    return this.client.node;
  }

  fixture(program: string, pod: BedPod, ...args: readonly string[]): Program {
    return this.cluster.use(Proxy.fixture(`tests/fixtures/${program}`, args, pod.namespace.name));
  }

  /** A connection of the client that stays open; client and app print how it ends. */
  async hold(to: BedPod): Promise<Program> {
    const program = this.fixture("tcp_client.ts", this.client, to.ip, `${APP}`, "hold", "hold");
    await program.line(/connected/);
    return program;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cluster[Symbol.asyncDispose]();
  }
}

/** The final report of `connector.ts`. */
async function outcome(program: Program): Promise<{ whole: number; failures: Record<string, number> }> {
  program.signal("SIGUSR2");
  const [, json = ""] = await program.line(/^(\{.*\})$/);
  return JSON.parse(json);
}

async function whole(program: Program, count: number): Promise<void> {
  await program.matches(/^\d+ done$/, Math.ceil(count / 500));
}

for (const workers of ["1", "2"]) {
  testNeeding(
    NEEDS,
    `inpod A1.12: a proxy is replaced during traffic, ${workers} worker(s): none of 10,000 connections fails`,
    async () => {
      await using scene = await Scene.build({
        ZTUNNEL_WORKER_THREADS: workers,
        CONNECTION_TERMINATION_DEADLINE: "1h",
        RUST_LOG: "info,access=error",
      });
      const { cluster, node } = scene;
      const callers = [scene.near, scene.far].map((to) =>
        scene.fixture("connector.ts", scene.client, to.ip, `${HTTP}`, "2")
      );
      for (const caller of callers) await whole(caller, 1000);
      const held = await scene.hold(scene.far);
      const old = node.proxy;
      await cluster.startProxy(node);
      for (const caller of callers) await whole(caller, 2500);
      old.signal("SIGTERM");
      await old.line(/shutdown complete.*component="inbound"/);
      for (const caller of callers) await whole(caller, 5000);
      // The old proxy still serves its connections.
      assert.deepEqual(held.printed, ["connected"]);
      held.signal("SIGUSR2");
      const { code } = await old.ended();
      assert.equal(code, 0);
      for (const caller of callers) {
        const { whole, failures } = await outcome(caller);
        assert.deepEqual(failures, {});
        assert.ok(whole >= 5000);
      }
    },
  );
}

testNeeding(NEEDS, "inpod R24: a proxy without a successor ends: open connections go on, new ones fail", async () => {
  await using scene = await Scene.build({ CONNECTION_TERMINATION_DEADLINE: "1h" });
  const { node, client, far } = scene;
  const held = await scene.hold(far);
  node.proxy.signal("SIGTERM");
  await eventually("a refusal of new connections", async () => await failure(client.namespace, far.ip) !== 0);
  assert.deepEqual(held.printed, ["connected"]);
  held.signal("SIGUSR2");
  assert.equal((await node.proxy.ended()).code, 0);
});

testNeeding(
  NEEDS,
  "inpod R23, S7: a pod is deleted during traffic and added again; other pods are not affected",
  async () => {
    await using scene = await Scene.build();
    const { cluster, client, near, far, node } = scene;
    const other = scene.fixture("connector.ts", client, far.ip, `${HTTP}`, "2");
    await whole(other, 500);
    const held = await scene.hold(near);
    assert.equal(await node.session.delete(near.uid), "");
    await held.line(/^(reset|end)$/);
    assert.notEqual(await failure(client.namespace, near.ip), 0);
    await near.enroll();
    assert.equal(await get(client.namespace, near.ip), `near from ${client.ip}`);
    // Repeated: nothing accumulates.
    const cycle = async () => {
      assert.equal(await node.session.delete(near.uid), "");
      await near.enroll();
      assert.equal(await get(client.namespace, near.ip), `near from ${client.ip}`);
    };
    await cycle();
    const before = node.proxy.descriptors;
    for (let i = 0; i < 10; i++) await cycle();
    await node.proxy.descriptorsBackTo(before + SLACK);
    const { failures } = await outcome(other);
    const told = node.proxy.access.filter(({ level, words }) => level === "error" && words.join().includes(far.ip));
    assert.deepEqual(failures, {}, [JSON.stringify(failures), ...told.map(({ words }) => words.join(" "))].join("\n"));
    assert.equal(cluster.nodes[1]!.proxy.lines.filter(({ level }) => level === "error").length, 0);
  },
);

/** Descriptors of connections in progress, which vary. */
const SLACK = 8;

testNeeding(
  NEEDS,
  "inpod A1.10, S8, S17: the agent restarts: pods are served in the meantime, its snapshot decides",
  async () => {
    await using scene = await Scene.build();
    const { client, near, far, node } = scene;
    node.agent.vanish();
    await node.proxy.line(/failed to connect to the Istio CNI node agent/);
    assert.equal(await readiness(node), 500);
    assert.equal(await get(client.namespace, far.ip), `far from ${client.ip}`);
    node.agent.listen();
    node.session = await node.agent.session();
    assert.equal(await node.session.keep(client.uid), "");
    assert.equal(await get(client.namespace, near.ip), `near from ${client.ip}`);
    assert.equal(await node.session.snapshotSent(), "");
    assert.equal(await readiness(node), 200);
    // The snapshot does not have it.
    await eventually("the end of near's proxy", async () => await failure(client.namespace, near.ip) !== 0);
    assert.equal(await get(client.namespace, far.ip), `far from ${client.ip}`);
    await near.enroll();
    assert.equal(await get(client.namespace, near.ip), `near from ${client.ip}`);
  },
);

/** Status of `/healthz/ready`. */
async function readiness(node: BedNode): Promise<number> {
  const { port } = await node.proxy.place("readiness");
  const ask = ["-s", "-o", "/dev/null", "-w", "%{http_code}", `http://127.0.0.1:${port}/healthz/ready`];
  return Number(await node.namespace.run("curl", ...ask));
}

testNeeding(
  NEEDS,
  "inpod S3, Z16: pods that cannot be served are refused and tried again; others are not affected",
  async () => {
    await using scene = await Scene.build();
    const { client, near, far, node } = scene;
    const { session } = node;
    assert.equal(await session.delete(near.uid), "");
    await get(client.namespace, far.ip); // its tunnel stays
    const before = node.proxy.descriptors;

    const squatter = scene.fixture("tcp_app.ts", near, "0.0.0.0", "15008");
    await squatter.line(/listening/);
    const taken = await session.add(near.announced);
    assert.match(taken, /^failure to start proxy : failed to bind to address \[::\]:15008: Address already in use/);
    await node.proxy.line(/failed to start proxy: failed to bind to address \[::\]:15008.*uid=pod-near/);
    assert.equal(await get(client.namespace, far.ip), `far from ${client.ip}`);
    await squatter.stop();
    await node.proxy.line(/retrying workload.*uid="pod-near"/);
    await eventually("near's proxy", async () => await failure(client.namespace, near.ip) === 0);

    const odd = { uid: "odd", name: "odd", namespace: "bed", serviceAccount: "odd", path: "/etc/hostname" };
    assert.match(await session.add(odd), /^failure to start proxy : cannot enter the pod's network namespace/);
    assert.equal(await session.delete("odd"), "");
    assert.equal(await get(client.namespace, near.ip), `near from ${client.ip}`);
    assert.equal(await session.delete(near.uid), "");
    await node.proxy.descriptorsBackTo(before);
  },
);

testNeeding(
  NEEDS,
  "inpod Z4, Z9-Z11, Z13, Z14: invalid packets are refused, the proxy reconnects, pods are not affected, nothing leaks",
  async () => {
    await using scene = await Scene.build();
    const { client, near, node } = scene;
    const before = node.proxy.descriptors;
    const path = near.namespace.path;
    const add = { uid: "x", workloadInfo: { name: "x", namespace: "bed", serviceAccount: "x" } };
    const wrong: readonly (readonly [RegExp, () => Promise<string>])[] = [
      [/No control message/, () => node.session.addWith(add, [])],
      [/Expected 1 FD, got 2/, () => node.session.addWith(add, [path, path])],
      [/received truncated message/, () => node.session.addWith(add, [path, path, path])],
      [/received truncated message/, () => node.session.addWith({ ...add, uid: "x".repeat(1100) }, [path])],
      [/failed to decode message/, () => (node.session.send(Uint8Array.of(0xff)), node.session.answer())],
      [/no payload/, () => (node.session.send(Uint8Array.of(0x22, 0)), node.session.answer())],
    ];
    for (const [pattern, say] of wrong) {
      const { session } = node;
      assert.match(await say(), pattern);
      await session.closed();
      session.close();
      node.session = await node.agent.session();
      for (const pod of scene.cluster.podsOf(node)) assert.equal(await node.session.keep(pod.uid), "");
      assert.equal(await node.session.snapshotSent(), "");
      assert.equal(await get(client.namespace, near.ip), `near from ${client.ip}`);
    }
    await node.proxy.descriptorsBackTo(before + SLACK);
  },
);

testNeeding(
  NEEDS,
  "inpod S9: the same pod in another namespace is served there when that has one of its addresses",
  async () => {
    await using scene = await Scene.build();
    const { node, client, far, near } = scene;
    // The agent makes an error: it hands over the namespace of another pod under the client's name.
    assert.equal(await node.session.delete(near.uid), "");
    assert.equal(await node.session.add({ ...client.announced, path: near.namespace.path }), "");
    await eventually("the end of the old proxy", async () => await failure(client.namespace, far.ip) !== 0);
    assert.notEqual(await failure(near.namespace, far.ip), 0);
    const doubt = "its network namespace has none of the workload's addresses";
    await node.proxy.line(new RegExp(`nothing is served for this pod yet: ${doubt} .${client.ip}, ${client.ip6}.`));
    await node.proxy.line(new RegExp(`connection failed.*local workload: client.bed .client.: ${doubt}`));
    assert.equal(await node.session.add(client.announced), "");
    assert.equal(await get(client.namespace, far.ip), `far from ${client.ip}`);
  },
);

testNeeding(
  NEEDS,
  "inpod A2.2: INPOD_PORT_REUSE=false: one worker for each pod; a second proxy waits until the first has ended",
  async () => {
    await using scene = await Scene.build({ INPOD_PORT_REUSE: "false", ZTUNNEL_WORKER_THREADS: "2" });
    const { node, client, near, far } = scene;
    assert.equal(await get(client.namespace, near.ip), `near from ${client.ip}`);
    assert.equal(await get(client.namespace, far.ip), `far from ${client.ip}`);
    const old = node.proxy;
    await assert.rejects(scene.cluster.startProxy(node), /Address already in use/);
    assert.equal(await get(client.namespace, far.ip), `far from ${client.ip}`);
    await node.session.snapshotSent();
    assert.equal((await old.stop()).code, 0);
    await node.proxy.line(/marking server ready/);
    assert.equal(await get(client.namespace, far.ip), `far from ${client.ip}`);
  },
);

testNeeding(
  NEEDS,
  "inpod S10, A1.9: a breach of the protocol is logged and ends the process with status 1",
  async () => {
    await using scene = await Scene.build();
    const { node, near } = scene;
    const answer = await node.session.addWith({ uid: "x" }, [near.namespace.path]);
    assert.equal(answer, 'failure to process message : ProtocolError("workload_info is required but not present")');
    const { code, output } = await node.proxy.ended();
    assert.equal(code, 1);
    assert.match(output, /WorkloadProxyManager run error: protocol error "workload_info is required but not present"/);
  },
);

testNeeding(NEEDS, "inpod R1, R2, R7-R9, config C49: the proxy's own ports, from a pod and from outside", async () => {
  await using scene = await Scene.build({ ADMIN_PORT: "15000", STATS_PORT: "15020", READINESS_PORT: "15021" });
  const { client, node, cluster: { outside } } = scene;
  const plain = async (from: BedPod["namespace"], port: number) =>
    await from.run(
      "sh",
      "-c",
      `printf 'hello\\r\\n\\r\\n' | timeout 5 ${NC} -w 2 ${node.ip} ${port} | head -1 || true`,
    );
  for (const port of [15001, 15006, 15008, 15080, 15000]) {
    assert.notEqual(await failure(client.namespace, node.ip, port), 0, `from a pod, ${port}`);
    assert.notEqual(await failure(outside.namespace, node.ip, port), 0, `from outside, ${port}`);
  }
  for (const port of [15020, 15021]) {
    for (const from of [client.namespace, outside.namespace]) assert.match(await plain(from, port), /^HTTP\/1.1 400/);
  }
});

testNeeding(
  NEEDS,
  "dataplane 1.9, TE-14, config C54: the proxy's own workload takes HBONE, for its metrics, but not for its admin port",
  async () => {
    await using scene = await Scene.build({ ADMIN_PORT: "15000", STATS_PORT: "15020" }, { proxiesInMesh: true });
    const { client, node, cluster: { nodes: [, far] } } = scene;
    const address = far!.ip;
    const metrics = await client.namespace.run("curl", "-sS", `http://${address}:15020/metrics`);
    assert.match(metrics, /^workload_manager_active_proxy_count 1$/m);
    const { fields } = await node.proxy.line(new RegExp(`access.*dst.hbone_addr=${address}:15020`));
    assert.equal(fields.get("dst.identity"), identityOf("ztunnel-node2"));
    const inbound = await far!.proxy.line(/access.*direction="inbound"/);
    assert.deepEqual(
      ["dst.addr", "dst.hbone_addr", "dst.workload"].map((name) => inbound.fields.get(name)),
      [`${address}:15008`, `${address}:15020`, "ztunnel-node2"],
    );
    const after = await client.namespace.run("curl", "-sS", `http://${address}:15020/metrics`);
    for (const [event, count] of [["opened", 2], ["closed", 1]] as const) {
      const series = after.split("\n").filter((line) =>
        line.startsWith(`istio_tcp_connections_${event}_total{reporter="destination"`)
      );
      assert.deepEqual(series.map((line) => line.split(" ").at(-1)), [`${count}`], series.join("\n"));
      assert.match(series[0]!, /destination_principal="spiffe:[^"]*\/sa\/ztunnel-node2"/);
    }
    assert.notEqual(await failure(client.namespace, address, 15000), 0);
    await far!.proxy.line(/attempted recursive call to ourselves/);
    assert.equal((await far!.proxy.stop()).code, 0);
  },
);

testNeeding(NEEDS, "inpod A1.13, A6: pods, their connections and their counters are exported", async () => {
  await using scene = await Scene.build();
  const { node, near, far, client } = scene;
  const held = await scene.hold(far);
  const ask = async (component: string, path: string) => {
    const { port } = await node.proxy.place(component);
    return await node.namespace.run("curl", "-sS", `http://127.0.0.1:${port}${path}`);
  };
  const { workloadState } = JSON.parse(await ask("admin", "/config_dump"));
  assert.deepEqual(Object.keys(workloadState), [client.uid, near.uid]);
  const { connections, info, state } = workloadState[client.uid];
  assert.deepEqual({ info, state }, {
    info: { name: "client", namespace: "bed", serviceAccount: "client" },
    state: "Up",
  });
  const [{ originalDst, actualDst, protocol, route }] = connections.outbound;
  assert.deepEqual([originalDst, actualDst, protocol], [`${far.ip}:${APP}`, `${far.ip}:15008`, "HBONE"]);
  assert.equal(route, "destination");
  assert.equal(await node.session.delete(near.uid), "");
  const metrics = (await ask("stats", "/metrics")).split("\n").filter((line) => line.startsWith("workload_manager_"));
  assert.deepEqual(metrics.filter((line) => !line.includes("stopped")), [
    "workload_manager_active_proxy_count 1",
    "workload_manager_pending_proxy_count 0",
    "workload_manager_proxies_started_total 2",
    "workload_manager_audits_total 0",
    "workload_manager_audit_differences 0",
  ]);
  held.signal("SIGUSR2");
});
