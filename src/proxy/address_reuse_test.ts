/** Pooled connections of workloads that are removed, or whose address goes to another workload. */
import { strict as assert } from "node:assert";
import { echo, Testbed, workloadAt } from "../dataplane/testkit/testbed.ts";
import type { MeshChange } from "../mesh/model/changes.ts";
import { workloadUid } from "../mesh/model/model.ts";

const CLIENT = "10.0.0.1", SERVER = "10.0.0.2", ELSEWHERE = "10.0.0.3", APP = `${SERVER}:8080`;
const REMOVED: MeshChange = { kind: "remove-address", name: workloadUid("Kubernetes//Pod/default/server") };
const PRESENT = workloadAt("server", SERVER, { protocol: "HBONE" });
const MOVED = workloadAt("server", ELSEWHERE, { protocol: "HBONE" });
/** Another pod with the same service account: the identity at the address stays the same. */
const SUCCESSOR = workloadAt("successor", SERVER, { protocol: "HBONE", serviceAccount: "server" });

/** A client and a server. */
function meshOfTwo() {
  const bed = new Testbed();
  const client = bed.node("client", CLIENT), server = bed.node("server", SERVER);
  bed.listen(APP, echo);
  return { bed, client, server };
}

const LOSSES: Readonly<Record<string, readonly MeshChange[]>> = {
  "is removed": [REMOVED],
  "moves to another address": [MOVED],
  "is replaced by another workload at its address": [REMOVED, SUCCESSOR],
  "is not removed yet when another workload gets its address": [SUCCESSOR],
};

for (const [how, changes] of Object.entries(LOSSES)) {
  Deno.test(`when a workload ${how}, its pooled connection ends with its last stream and takes no new one`, () => {
    const { bed, server } = meshOfTwo();
    const first = bed.connect(CLIENT, APP).send("one");
    bed.run();
    bed.apply(...changes);
    first.send("-two");
    bed.run();
    assert.equal(first.text, "one-two", "an open stream goes on");
    // The workload is as it was: a request has the same key as the first one.
    bed.apply({ kind: "remove-address", name: "Kubernetes//Pod/default/successor" }, PRESENT);
    const second = bed.connect(CLIENT, APP).send("three");
    bed.run();
    assert.equal(second.text, "three");
    assert.equal(server.pod.connectionCount, 4, "two streams on two connections");
    bed.apply(...changes);
    for (const app of [first, second]) app.end();
    bed.run();
    assert.equal(server.held.streams, 0);
    bed.assertClean();
  });

  Deno.test(`when a workload ${how}, an attempt to connect to it fails`, () => {
    const { bed, client, server } = meshOfTwo();
    client.certificates = "hold";
    const app = bed.connect(CLIENT, APP).send("for the first workload only");
    bed.run();
    bed.apply(...changes);
    client.issueCertificate();
    bed.run();
    assert.match(client.accessLine, /the destination workload was removed or lost its address/);
    assert.equal(app.fate, "reset");
    assert.deepEqual([server.held.streams, server.access], [0, []]);
    bed.assertClean();
  });
}

Deno.test("a workload that changes and keeps its address keeps its pooled connection", () => {
  const { bed, server } = meshOfTwo();
  const first = bed.connect(CLIENT, APP).send("one");
  bed.run();
  bed.apply(workloadAt("server", SERVER, { protocol: "HBONE", canonicalRevision: "v2" }));
  bed.apply(REMOVED, PRESENT);
  const second = bed.connect(CLIENT, APP).send("two");
  bed.run();
  assert.equal(second.text, "two");
  assert.equal(server.pod.connectionCount, 3, "two streams on one connection");
  for (const app of [first, second]) app.end();
  bed.assertClean();
});
