import { strict as assert } from "node:assert";
import { DEFAULT_WORKLOAD } from "../../mesh/model/defaults.ts";
import { type Workload, workloadUid } from "../../mesh/model/model.ts";
import { certificateWatch } from "./certificate_watch.ts";

function bed(mode: "shared" | "dedicated" = "shared", node: string | null = "here") {
  const said: string[] = [];
  const config = { mode, node: { name: node } } as Parameters<typeof certificateWatch>[0];
  const watch = certificateWatch(config, {
    keyedBy: "identity",
    keeper: {
      prefetch: ({ id }) => void said.push(`fetch ${id}`),
      remove: ({ id }) => void said.push(`remove ${id}`),
    },
  });
  return { said, watch };
}

function pod(uid: string, words: Partial<Workload> = {}): Workload {
  const account = { namespace: "ns", serviceAccount: "sa1" };
  return { ...DEFAULT_WORKLOAD, ...account, uid: workloadUid(uid), node: "here", protocol: "HBONE", ...words };
}

const SA1 = "spiffe://cluster.local/ns/ns/sa/sa1";

Deno.test("xds X314 to X319: certificates follow the workloads of this node", () => {
  const { said, watch } = bed();
  const all = () => said.join(", ");
  watch.workload(pod("remote", { node: "elsewhere" }));
  assert.equal(all(), ""); // X314, X315
  watch.workload(pod("a"));
  assert.equal(all(), `fetch ${SA1}`); // X316
  watch.workload(pod("b"));
  watch.addressRemoved("remote");
  watch.addressRemoved("a");
  assert.equal(all().includes("remove"), false); // X317, X318
  watch.addressRemoved("b");
  assert.equal(said.at(-1), `remove ${SA1}`); // X319
});

Deno.test("a workload that moves to another node takes its certificate away", () => {
  const { said, watch } = bed();
  watch.workload(pod("a"));
  watch.workload(pod("a", { node: "elsewhere" }));
  assert.deepEqual(said, [`fetch ${SA1}`, `remove ${SA1}`]);
  watch.addressRemoved("a");
  assert.equal(said.length, 2);
});

Deno.test("names of services and of strangers are no workloads", () => {
  const { said, watch } = bed();
  for (const name of ["ns/host", "", "/10.0.0.1"]) watch.addressRemoved(name);
  assert.deepEqual(said, []);
});
