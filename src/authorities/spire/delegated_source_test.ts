/** SPIRE's Delegated Identity API over a Unix socket, with a scripted agent. */
import { strict as assert } from "node:assert";
import { eventually, inTime } from "../../../lab/eventually.ts";
import { running } from "../../../testkit/spire/cri.ts";
import { BLIND, SpireRig } from "../../../testkit/spire/rig.ts";
import { describe, subjectOf } from "../../../testkit/spire/source.ts";
import { CertificateError } from "../../identity/authority.ts";
import { workloadId } from "../../identity/spiffe_id.ts";
import { dumpCertificates } from "../../identity/certificate_dump.ts";

const SELECTORS = { variables: { SPIRE_ATTESTATION: "selectors" } };
const ACCOUNT = subjectOf("test-sa", null);

async function refusalOf(rig: SpireRig, subject = ACCOUNT): Promise<CertificateError> {
  const error = await rig.get(subject).then(() => null, (reason) => reason);
  assert.ok(error instanceof CertificateError);
  return error;
}

Deno.test("identity P22: selectors of namespace and service account, no process", async () => {
  await using rig = await SpireRig.start(SELECTORS);
  rig.agent.addAccount("default", "test-sa");
  const issued = await rig.get(ACCOUNT);
  assert.equal(issued.id, ACCOUNT.id);
  const [{ request }] = rig.agent.subscriptions as [typeof rig.agent.subscriptions[0]];
  assert.equal(request.pid, 0);
  assert.deepEqual(request.selectors.map(({ type, value }) => [type, value]), [["k8s", "ns:default"], [
    "k8s",
    "sa:test-sa",
  ]]);
  assert.deepEqual(rig.runtime.calls, []);
});

Deno.test("identity P3, 4.4: a pod's process is found, attested, and confirmed", async () => {
  await using rig = await SpireRig.start();
  rig.addPod("uid-123456", 4321);
  rig.agent.addAccount("default", "test-sa");
  assert.equal((await rig.get(subjectOf())).id, ACCOUNT.id);
  assert.equal(rig.agent.subscriptions[0]?.request.pid, 4321);
  assert.deepEqual(rig.agent.subscriptions[0]?.request.selectors, []);
  assert.deepEqual(rig.runtime.calls, ["ListPodSandbox", "ListContainers", "ContainerStatus", "ContainerStatus"]);
});

Deno.test("identity P4: the container runtime reports another process afterwards", async () => {
  await using rig = await SpireRig.start();
  rig.addPod("uid-123456", 1337);
  rig.agent.addAccount("default", "test-sa");
  const attested = Promise.withResolvers<void>();
  rig.agent.gate = attested.promise;
  const coming = refusalOf(rig, subjectOf());
  await eventually("the request to the agent", () => rig.agent.subscriptions.length > 0);
  rig.addPod("uid-123456", 10);
  attested.resolve();
  assert.equal(
    (await coming).message,
    "unable to determine pid for workload: PID mismatch for workload UID uid-123456: expected 1337, got 10",
  );
});

Deno.test("identity P5: the second lookup fails", async () => {
  await using rig = await SpireRig.start();
  rig.addPod("uid-123456", 1337);
  rig.agent.addAccount("default", "test-sa");
  const attested = Promise.withResolvers<void>();
  rig.agent.gate = attested.promise;
  const coming = refusalOf(rig, subjectOf());
  await eventually("the request to the agent", () => rig.agent.subscriptions.length > 0);
  rig.runtime.pods.clear();
  attested.resolve();
  assert.match((await coming).message, /Failed to verify PID for workload UID uid-123456: CRI error: container/);
});

Deno.test("identity P8: no such pod at the container runtime", async () => {
  await using rig = await SpireRig.start();
  const { message } = await refusalOf(rig, subjectOf());
  assert.match(
    message,
    /^unable to determine pid for workload: Failed to fetch PID for workload UID uid-123456: CRI error: No sandbox found/,
  );
  assert.equal(rig.agent.subscriptions.length, 0);
});

Deno.test("identity S20, R10: a process that cannot be a pod's is not attested", async () => {
  await using rig = await SpireRig.start();
  rig.addPod("uid-123456", 0);
  assert.match((await refusalOf(rig, subjectOf())).message, /the container runtime reports process 0$/);
  assert.equal(rig.agent.subscriptions.length, 0);
});

Deno.test("identity P17: attestation by process needs a pod", async () => {
  await using rig = await SpireRig.start();
  const error = await refusalOf(rig);
  assert.match(error.message, /^invalid configuration: expected Workload key for SPIRE attestation/);
  assert.equal(error.code, "CONFIGURATION");
});

Deno.test("identity 4.6: selectors of one pod match entries for it and for its account", async () => {
  await using rig = await SpireRig.start({ variables: { SPIRE_ATTESTATION: "pod_selectors" } });
  rig.addPod("uid-1", 11, "one");
  rig.agent.add({ path: "/ns/default/sa/one", selectors: ["k8s:ns:default", "k8s:pod-uid:uid-1"] });
  rig.agent.addAccount("default", "two");
  rig.addPod("uid-2", 12, "two");
  assert.ok(await rig.get(subjectOf("one", "uid-1")));
  assert.ok(await rig.get(subjectOf("two", "uid-2")));
  assert.match((await refusalOf(rig, subjectOf("one", "uid-3"))).message, /has not announced pod uid-3/);
});

Deno.test("identity P9, P20: an empty list is reported at once, with the selectors", async () => {
  await using rig = await SpireRig.start(SELECTORS);
  const error = await refusalOf(rig);
  assert.equal(
    error.message,
    "no registration entry for spiffe://example.org/ns/default/sa/test-sa: SPIRE has none that fits " +
      "selectors k8s:ns:default, k8s:sa:test-sa (spire-server entry show -spiffeID " +
      "spiffe://example.org/ns/default/sa/test-sa; a new entry takes some seconds to reach the agent)",
  );
  rig.agent.addAccount("default", "test-sa");
  await rig.changed(2);
  assert.equal(await rig.get(ACCOUNT), rig.changes[1]);
  assert.equal(rig.agent.subscriptions.length, 1);
});

Deno.test("observed O16: a process without an entry", async () => {
  await using rig = await SpireRig.start();
  rig.addPod("uid-123456", 4321);
  assert.match((await refusalOf(rig, subjectOf())).message, /SPIRE has none that fits PID 4321 /);
});

Deno.test("identity P12, P14: SVIDs with other ids are not used, the expected one is found among them", async () => {
  await using rig = await SpireRig.start(SELECTORS);
  rig.agent.add({ path: "/ns/other-namespace/sa/other-sa", selectors: ["k8s:ns:default"] });
  assert.match(
    (await refusalOf(rig)).message,
    /Failed to fetch certificate for selectors .*Mismatched identity: expected/,
  );
  rig.agent.addAccount("default", "test-sa");
  await rig.changed(2);
  assert.ok(await rig.get(ACCOUNT));
});

Deno.test("identity P13: an id that is not a workload's", async () => {
  await using rig = await SpireRig.start(SELECTORS);
  rig.agent.add({ path: "/ztunnel", selectors: ["k8s:ns:default"] });
  assert.match((await refusalOf(rig)).message, /invalid spiffe identity: spiffe:\/\/example.org\/ztunnel$/);
});

Deno.test("identity S41: by selectors a proxy gets every entry of its node, by process only those of its pods", async () => {
  const stranger = (uid: string | null) => subjectOf("payments", uid);
  await using trusting = await SpireRig.start(SELECTORS);
  trusting.agent.addAccount("default", "payments");
  assert.equal((await trusting.get(stranger(null))).id, stranger(null).id, "no pod of that account is here");

  await using attesting = await SpireRig.start();
  attesting.agent.addAccount("default", "payments");
  attesting.agent.addAccount("default", "test-sa");
  attesting.addPod("uid-123456", 4321);
  assert.match(
    (await refusalOf(attesting, stranger("uid-123456"))).message,
    /Mismatched identity: expected .*payments/,
  );
  assert.match((await refusalOf(attesting, stranger("uid-9"))).message, /No sandbox found for pod UID: uid-9/);
  assert.equal((await refusalOf(attesting, stranger(null))).code, "CONFIGURATION");
});

Deno.test("identity P27, observed O24: rotated SVIDs are pushed on the same stream", async () => {
  await using rig = await SpireRig.start(SELECTORS);
  rig.agent.addAccount("default", "test-sa");
  const first = await rig.get(ACCOUNT);
  for (let i = 2; i < 5; i++) {
    rig.agent.rotate();
    await rig.changed(i);
  }
  const last = await rig.get(ACCOUNT);
  assert.notEqual(last.serial, first.serial);
  assert.equal(new Set(rig.changes).size, 4);
  assert.equal(rig.agent.subscriptions.length, 1);
});

Deno.test("identity P28, S25: the entry is deleted, and created again", async () => {
  await using rig = await SpireRig.start(SELECTORS);
  const entry = rig.agent.addAccount("default", "test-sa");
  await rig.get(ACCOUNT);
  rig.agent.delete(entry);
  await rig.changed(2);
  assert.match(describe(rig.changes[1]!), /^no registration entry/);
  assert.equal(rig.manager.current(ACCOUNT), null);
  rig.agent.addAccount("default", "test-sa");
  await rig.changed(3);
  assert.ok(rig.manager.current(ACCOUNT) !== null);
});

Deno.test("identity P29: a new root is pushed", async () => {
  await using rig = await SpireRig.start(SELECTORS);
  rig.agent.addAccount("default", "test-sa");
  const first = await rig.get(ACCOUNT);
  const { certificate } = rig.agent.ca.root;
  rig.agent.bundles.set("spiffe://example.org", new Uint8Array([...certificate, ...certificate]));
  rig.agent.pushBundles();
  await rig.changed(2);
  const second = await rig.get(ACCOUNT);
  assert.equal(second.serial, first.serial);
  assert.equal(second.bundles.byTrustDomain.get("example.org")?.length, 2);
});

Deno.test("identity 4.5: a malformed federated bundle affects only its own trust domain", async () => {
  await using rig = await SpireRig.start(SELECTORS);
  rig.agent.bundles.set("spiffe://broken.test", Uint8Array.of(1, 2, 3));
  rig.agent.bundles.set("spiffe://good.test", rig.agent.ca.root.certificate);
  const federatesWith = ["spiffe://broken.test", "spiffe://good.test"];
  rig.agent.addAccount("default", "test-sa", { federatesWith });
  const issued = await rig.get(ACCOUNT);
  assert.deepEqual([...issued.bundles.byTrustDomain.keys()], ["example.org", "good.test"]);
  assert.ok(rig.lines.some((line) => line.startsWith("warn ignoring the trust bundle of broken.test")));
});

Deno.test("identity 4.5: an empty bundle of the own trust domain does not replace a usable one", async () => {
  await using rig = await SpireRig.start(SELECTORS);
  rig.agent.addAccount("default", "test-sa");
  await rig.get(ACCOUNT);
  rig.agent.bundles.set("spiffe://example.org", new Uint8Array());
  rig.agent.pushBundles();
  await eventually("the log line", () => rig.lines.some((line) => line.includes("keeping the last one")));
  assert.equal((await rig.get(ACCOUNT)).bundles.byTrustDomain.get("example.org")?.length, 1);
});

Deno.test("identity P2: CLUSTER_DOMAIN is not SPIRE's trust domain", async () => {
  await using rig = await SpireRig.start({ ...SELECTORS, clusterDomain: "wrong.trust-domain" });
  rig.agent.addAccount("default", "test-sa");
  assert.match((await refusalOf(rig)).message, /No bundle found for trust domain: wrong\.trust-domain .*example\.org/);
});

Deno.test("identity P19: a delegate that is not authorized is served after its authorization", async () => {
  await using rig = await SpireRig.start(SELECTORS);
  rig.agent.refusal = "caller not configured as an authorized delegate";
  rig.agent.addAccount("default", "test-sa");
  const error = await refusalOf(rig);
  assert.equal(
    error.message,
    "failed to fetch certificate for workload: Failed to fetch certificate for selectors k8s:ns:default, " +
      "k8s:sa:test-sa: Failed to stream X.509 SVIDs: caller not configured as an authorized delegate; " +
      "put the proxy's SPIFFE id into authorized_delegates in the agent's configuration",
  );
  rig.agent.refusal = null;
  await inTime("the certificate", rig.changed(2));
  assert.ok(await rig.get(ACCOUNT));
});

Deno.test("identity 4.1: without an agent the error names the setting; the agent is used when it starts", async () => {
  await using rig = await SpireRig.start(SELECTORS);
  await rig.agent.stop();
  const { message } = await refusalOf(rig);
  assert.match(
    message,
    /cannot reach the SPIRE agent at unix:\/\/\/.*: SPIRE_ADMIN_ENDPOINT_SOCKET must be the path of/,
  );
  rig.agent.addAccount("default", "test-sa");
  await rig.agent.start();
  await inTime("the certificate", rig.changed(2));
});

Deno.test("identity 4.8: certificates stay in use during a restart of the agent", async () => {
  await using rig = await SpireRig.start(SELECTORS);
  rig.agent.addAccount("default", "test-sa");
  const first = await rig.get(ACCOUNT);
  await rig.agent.stop();
  assert.equal((await rig.get(ACCOUNT)).serial, first.serial);
  await rig.agent.start();
  await inTime("the new certificate", rig.changed(2));
  assert.notEqual((await rig.get(ACCOUNT)).serial, first.serial);
  assert.ok(!rig.changes.some((change) => change instanceof CertificateError));
});

Deno.test("identity S23: a removed pod: its stream is closed, and it is not requested again", async () => {
  await using rig = await SpireRig.start();
  rig.addPod("uid-123456", 4321);
  rig.addPod("uid-654321", 4322);
  rig.agent.addAccount("default", "test-sa");
  await rig.get(subjectOf());
  await rig.get(subjectOf("test-sa", "uid-654321"));
  rig.manager.remove(subjectOf());
  await eventually("the stream ended", () => rig.agent.subscriptions[0]!.ended);
  assert.ok(!rig.agent.subscriptions[1]!.ended);
  assert.equal(rig.authority.size, 1);
  rig.agent.rotate();
  await rig.changed(4);
  assert.equal(rig.agent.subscriptions.length, 2);
});

Deno.test("identity S30: keys reach neither log, errors nor dump", async () => {
  await using rig = await SpireRig.start(SELECTORS);
  const entry = rig.agent.addAccount("default", "test-sa");
  await rig.get(ACCOUNT);
  const dump = JSON.stringify(dumpCertificates(rig.manager.statuses()));
  const [key] = rig.agent.keys as [Uint8Array];
  // A message whose chain contains the key.
  const id = { trustDomain: "example.org", path: "/ns/default/sa/test-sa" };
  rig.agent.pushMessage({ x509Svids: [{ x509Svid: { certChain: [key], id }, x509SvidKey: key }] });
  rig.agent.delete(entry);
  await rig.changed(2);
  const errors = rig.changes.filter((change) => change instanceof CertificateError).map(({ message }) => message);
  const output = [dump, ...rig.lines, ...errors, Deno.inspect(rig.authority, { depth: 9 })].join("\n");
  assert.match(output, /failed parsing X.509 certificate/);
  assert.match(output, /"state":"Available"/);
  const plain = String.fromCharCode(...key);
  for (const text of [plain, btoa(plain), [...key].join(","), key.toHex()]) assert.ok(!output.includes(text));
});

Deno.test("identity 4.3: a pod without a container is served once the runtime reports a start", async () => {
  await using rig = await SpireRig.start();
  rig.agent.addAccount("default", "test-sa");
  await eventually("the stream of events", () => rig.runtime.watchers === 1);
  assert.match((await refusalOf(rig, subjectOf())).message, /No sandbox found/);
  rig.addPod("uid-123456", 4321);
  rig.runtime.emit("uid-123456", "STARTED");
  await eventually("the certificate", () => rig.manager.current(subjectOf()));
});

Deno.test("identity 4.3: a pod whose second container has the entry gets its SVID", async () => {
  await using rig = await SpireRig.start();
  rig.agent.add({ path: "/ns/default/sa/test-sa", selectors: ["k8s:container-name:app"] });
  rig.addPod("uid-123456", 4321);
  rig.runtime.add({ uid: "uid-123456", containers: [running("sidecar", 4321), running("app", 4322)] });
  rig.agent.processes.set(4322, ["k8s:container-name:app"]);
  assert.ok(await rig.get(subjectOf()));
  assert.deepEqual(rig.agent.subscriptions.map(({ request }) => request.pid), [4321, 4322]);
  rig.runtime.add({ uid: "uid-2", containers: [running("a", 11), running("b", 12)] });
  const { message } = await refusalOf(rig, subjectOf("test-sa", "uid-2"));
  assert.match(message, /none that fits PID 12 \(container name-b, 2 of 2 that run\) /);
});

const SELF = { id: workloadId("example.org", "istio-system", "ztunnel")!, workloadUid: null };
const ENTRY = { path: "/ns/istio-system/sa/ztunnel", selectors: ["k8s:ns:istio-system", "k8s:sa:ztunnel"] };

Deno.test("identity P17: the proxy's own workload is attested by the proxy's process", async () => {
  const processes = { ...BLIND, seesNode: true, ownPid: 77 };
  await using rig = await SpireRig.start({ processes });
  rig.agent.add(ENTRY);
  rig.agent.processes.set(77, ENTRY.selectors);
  assert.equal((await rig.get(SELF)).id, SELF.id);
  assert.equal(rig.agent.subscriptions[0]!.request.pid, 77);
});

for (const attestation of ["pid", "pod_selectors"]) {
  Deno.test(`identity P17: without host PIDs the proxy's own workload is named by its account (${attestation})`, async () => {
    await using rig = await SpireRig.start({ variables: { SPIRE_ATTESTATION: attestation } });
    rig.agent.add(ENTRY);
    assert.equal((await rig.get(SELF)).id, SELF.id);
    assert.equal(rig.agent.subscriptions[0]!.request.pid, 0);
  });
}
