import { strict as assert } from "node:assert";
import type { PodUid } from "../../inpod/pod.ts";
import type { PodState } from "../../inpod/pod_registry.ts";
import { dumpPods, type PodsDumpSources } from "./pods_dump.ts";
import type { PodWorker } from "./pod_fleet.ts";
import { PodQueries } from "./pod_queries.ts";

function pod(uid: string, state: PodState["state"]): PodState {
  return {
    uid: uid as PodUid,
    workload: { name: "name", namespace: "ns", serviceAccount: "sa" },
    state,
    namespace: state === "Up" ? uid : null,
  };
}

async function dump(pods: readonly PodState[], more: Partial<PodsDumpSources> = {}): Promise<string> {
  const instances = pods.map(({ uid }, i) => ({ instance: i, uid, namespace: uid, up: [0] }));
  const connections = () => Promise.resolve({ inbound: [], outbound: [] });
  return (await Array.fromAsync(dumpPods({ pods, instances, differences: [], connections, ...more }))).join("");
}

const info = { name: "name", namespace: "ns", serviceAccount: "sa" };

Deno.test("inpod A1-A3, config C32 to C34: pods by uid, with their state", async () => {
  assert.deepEqual(JSON.parse(await dump([pod("uid1", "Pending")])), { uid1: { info, state: "Pending" } });
  const connections = { inbound: [], outbound: [] };
  assert.deepEqual(JSON.parse(await dump([pod("uid1", "Up")])), { uid1: { connections, info, state: "Up" } });
  const unserved = await dump([pod("uid1", "Up")], { instances: [] });
  assert.deepEqual(JSON.parse(unserved), { uid1: { info, state: "Up" } }, "nobody to ask for connections");
  assert.equal(await dump([]), "{}");
});

Deno.test("the text is that of a section, a level deep, keys sorted", async () => {
  const text = await dump([pod("b", "Pending"), pod("a", "Pending")]);
  assert.equal(
    text,
    `{
    "a": {
      "info": {
        "name": "name",
        "namespace": "ns",
        "serviceAccount": "sa"
      },
      "state": "Pending"
    },
    "b": {
      "info": {
        "name": "name",
        "namespace": "ns",
        "serviceAccount": "sa"
      },
      "state": "Pending"
    }
  }`,
  );
});

Deno.test("dataplane 5.2: connections, asked of the instance that serves the pod; differences where there are any", async () => {
  const src = "10.0.0.1:1", actualDst = "10.0.0.2:80";
  const parsed = JSON.parse(
    await dump([pod("a", "Up"), pod("b", "Up")], {
      differences: [{ uid: "a", text: "worker 0 does not have it" }, { uid: null, text: "x" }],
      connections: (instance) =>
        Promise.resolve({ inbound: [], outbound: [{ src, originalDst: `${instance}`, actualDst, protocol: "TCP" }] }),
    }),
  );
  assert.deepEqual(parsed.a.differences, ["worker 0 does not have it"]);
  assert.equal(parsed.b.differences, undefined);
  assert.deepEqual(parsed.b.connections.outbound, [{ src, originalDst: "1", actualDst, protocol: "TCP" }]);
});

Deno.test("questions go to every worker, and their answers come together", async () => {
  const workers = [0, 1].map((): PodWorker & { readonly requests: number[] } => {
    const requests: number[] = [];
    return { requests, send: (order) => void ("request" in order && requests.push(order.request)) };
  });
  const queries = new PodQueries(workers);
  const reports = queries.reports(), connections = queries.connections(7 as never);
  const entry = (src: string) => ({ src, originalDst: null, actualDst: "b", protocol: "HBONE" as const });
  for (const [index, { requests: [report, asked] }] of [...workers.entries()].reverse()) {
    queries.receive({
      kind: "connections",
      request: asked!,
      connections: { inbound: [entry(`${index}`)], outbound: [] },
    });
    const found = { instance: index as never, namespace: "n", faults: [] };
    queries.receive({ kind: "report", request: report!, pods: [found] });
  }
  assert.deepEqual((await reports).map((pods) => pods.map(({ instance }) => instance)), [[0], [1]]);
  assert.deepEqual((await connections).inbound.map(({ src }) => src), ["0", "1"]);
  queries.receive({ kind: "report", request: 99, pods: [] });
});
