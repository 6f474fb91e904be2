import { strict as assert } from "node:assert";
import type { PodUid } from "../../inpod/pod.ts";
import type { PodState } from "../../inpod/pod_registry.ts";
import type { DumpedConnection } from "../../proxy/connection_dump.ts";
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
  const connections = () => pages([]);
  return (await Array.fromAsync(dumpPods({ pods, instances, differences: [], connections, ...more }))).join("");
}

async function* pages(...all: (readonly DumpedConnection[])[]): AsyncGenerator<readonly DumpedConnection[]> {
  for (const page of all) yield await Promise.resolve(page);
}

function entry(src: string, originalDst: string): DumpedConnection {
  const unknown = { service: null, route: null, decision: null, identity: null, idle: null, carrier: null };
  const tls = { version: "TLSv1.3", group: "x25519" };
  return {
    src,
    originalDst,
    actualDst: "10.0.0.2:80",
    protocol: "TCP",
    id: "1",
    tls,
    state: "open",
    age: 1,
    ...unknown,
  };
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
  const parsed = JSON.parse(
    await dump([pod("a", "Up"), pod("b", "Up")], {
      differences: [{ uid: "a", text: "worker 0 does not have it" }, { uid: null, text: "x" }],
      connections: (instance, direction) =>
        direction === "inbound" ? pages([]) : pages([entry("10.0.0.1:1", `${instance}`)], [entry("10.0.0.1:2", "x")]),
    }),
  );
  assert.deepEqual(parsed.a.differences, ["worker 0 does not have it"]);
  assert.equal(parsed.b.differences, undefined);
  assert.deepEqual(parsed.b.connections, {
    inbound: [],
    outbound: [entry("10.0.0.1:1", "1"), entry("10.0.0.1:2", "x")],
  });
});

Deno.test("questions go to every worker, and their answers come together", async () => {
  const workers = [0, 1].map((): PodWorker & { readonly requests: number[] } => {
    const requests: number[] = [];
    return { requests, send: (order) => void ("request" in order && requests.push(order.request)) };
  });
  const queries = new PodQueries(workers);
  const reports = queries.reports();
  for (const [index, { requests: [report] }] of [...workers.entries()].reverse()) {
    const found = { instance: index as never, namespace: "n", faults: [] };
    queries.receive({ kind: "report", request: report!, pods: [found] });
  }
  assert.deepEqual((await reports).map((pods) => pods.map(({ instance }) => instance)), [[0], [1]]);
  queries.receive({ kind: "report", request: 99, pods: [] });
});

Deno.test("connections are read page by page, of one worker after the other", async () => {
  const asked: string[] = [];
  const workers = [0, 1].map((index): PodWorker => ({
    send(order) {
      assert.ok(order.kind === "connections");
      asked.push(`${index} ${order.direction} ${JSON.stringify(order.after)}`);
      const next = order.after === null && index === 0 ? { component: 1, registration: 5 } : null;
      const entries = [entry(`${index} ${order.after?.registration}`, "x")];
      queueMicrotask(() => queries.receive({ kind: "connections", request: order.request, page: { entries, next } }));
    },
  }));
  const queries: PodQueries = new PodQueries(workers);
  const found = await Array.fromAsync(queries.connections(7 as never, "inbound"));
  assert.deepEqual(found.map(([one]) => one!.src), ["0 undefined", "0 5", "1 undefined"]);
  assert.deepEqual(asked, ["0 inbound null", '0 inbound {"component":1,"registration":5}', "1 inbound null"]);
});
