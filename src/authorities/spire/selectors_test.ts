import { strict as assert } from "node:assert";
import type { SpiffeId } from "../../identity/spiffe_id.ts";
import { accountSelectors, formatSelectors, podSelectors } from "./selectors.ts";

const subject = { id: "spiffe://example.org/ns/default/sa/test-sa" as SpiffeId, workloadUid: "uid-123456" };
const pod = { uid: "uid-123456", namespace: "default", name: "app-0", networkNamespace: null };

Deno.test("identity P22: selectors of namespace and service account only", () => {
  assert.deepEqual(accountSelectors(subject), [
    { type: "k8s", value: "ns:default" },
    { type: "k8s", value: "sa:test-sa" },
  ]);
});

Deno.test("identity 4.6: selectors of one pod, formatted as for spire-server", () => {
  assert.equal(
    formatSelectors(podSelectors(subject, pod)),
    "k8s:ns:default, k8s:sa:test-sa, k8s:pod-name:app-0, k8s:pod-uid:uid-123456",
  );
});

Deno.test("identity P13: an id that is not a workload's has no selectors", () => {
  const other = { id: "spiffe://example.org/ztunnel" as SpiffeId, workloadUid: null };
  assert.throws(() => accountSelectors(other), { message: "invalid spiffe identity: spiffe://example.org/ztunnel" });
});
