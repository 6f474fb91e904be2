/** The SPIFFE Broker API in mutual TLS over a Unix socket, with a scripted broker (`docs/spec/identity-spire.md` 9.10). */
import * as grpc from "@grpc/grpc-js";
import { strict as assert } from "node:assert";
import { eventually } from "../../../lab/eventually.ts";
import { ScriptedBroker } from "../../../testkit/spire/broker.ts";
import { spireCa } from "../../../testkit/spire/ca.ts";
import { running, ScriptedRuntime } from "../../../testkit/spire/cri.ts";
import { describe, subjectOf } from "../../../testkit/spire/source.ts";
import { type TempDir, tempDir } from "../../../lab/temp_dir.ts";
import { Environment, type Variables } from "../../config/environment.ts";
import { spireSettings } from "../../config/spire_settings.ts";
import { certificateAuthorityContract } from "../../identity/testkit/authority_contract.ts";
import { CertificateError, type CertificateSubject, type IssuedCertificate } from "../../identity/authority.ts";
import { workloadId } from "../../identity/spiffe_id.ts";
import { SYSTEM_CLOCK } from "../../net/clock.ts";
import type { LocalPod } from "../spire/local_pods.ts";
import type { SpireAuthority } from "../spire/spire_authority.ts";
import { brokerMessage } from "./broker_api.ts";
import { openBroker } from "./open_broker.ts";

const OWN = "/ns/istio-system/sa/ztunnel";
const SERVER = "spiffe://example.org/spire/agent/join_token/t";
const POD: LocalPod = { uid: "uid-123456", namespace: "default", name: "app-0", networkNamespace: null };
const REFERENCE = "pods.core default/app-0 uid-123456";
const PATH = "/ns/default/sa/test-sa";

class BrokerBench implements AsyncDisposable {
  readonly updates: string[] = [];
  pods: LocalPod[] = [POD];

  private constructor(
    readonly broker: ScriptedBroker,
    readonly authority: SpireAuthority,
    readonly folder: TempDir,
    readonly lines: readonly string[],
    bench: { self: BrokerBench | null },
  ) {
    bench.self = this;
    authority.onUpdate((_, update) => this.updates.push(describe(update)));
  }

  static async start(variables: Variables = {}): Promise<BrokerBench> {
    const folder = tempDir("zb-");
    const broker = await ScriptedBroker.start(folder.path, OWN);
    const settings = spireSettings(
      new Environment({
        CA_PROVIDER: "spiffe_broker",
        SPIFFE_BROKER_SOCKET: `unix://${broker.brokerPath}`,
        SPIFFE_BROKER_WORKLOAD_API_SOCKET: `unix://${broker.workloadPath}`,
        SPIFFE_BROKER_WORKLOAD_API_SPIFFE_ID: `spiffe://example.org${OWN}`,
        SPIFFE_BROKER_SERVER_SPIFFE_ID: SERVER,
        ...variables,
      }),
      true,
    );
    const late: { self: BrokerBench | null } = { self: null };
    const lines: string[] = [];
    const authority = openBroker(settings, settings.broker!, "example.org", {
      clock: SYSTEM_CLOCK,
      random: () => 0.5,
      log: (level, message) => lines.push(`${level} ${message}`),
      findPod: (uid) => late.self?.pods.find((pod) => pod.uid === uid) ?? null,
      processes: { seesNode: false, ownPid: 1, read: () => null, networkNamespace: () => null },
      own: null,
    });
    return new BrokerBench(broker, authority, folder, lines, late);
  }

  fetch(subject: CertificateSubject = subjectOf()): Promise<IssuedCertificate> {
    return this.authority.fetch(subject, new AbortController().signal);
  }

  async refusal(subject = subjectOf()): Promise<CertificateError> {
    const error = await this.fetch(subject).then(() => null, (reason) => reason);
    assert.ok(error instanceof CertificateError);
    return error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.authority.close();
    await this.broker[Symbol.asyncDispose]();
    this.folder[Symbol.dispose]();
  }
}

Deno.test("identity B1, B2: a pod is named by namespace, name and uid, the expected SVID is chosen", async () => {
  await using bench = await BrokerBench.start();
  bench.broker.svids.set(REFERENCE, [bench.broker.ca.issue("/x"), bench.broker.ca.issue(PATH)]);
  const issued = await bench.fetch();
  assert.equal(issued.id, subjectOf().id);
  assert.deepEqual([...issued.bundles.byTrustDomain.keys()], ["example.org"]);
  assert.deepEqual(bench.broker.references, [REFERENCE]);
  assert.deepEqual(bench.broker.callers, [`URI:spiffe://example.org${OWN}`]);
});

Deno.test("identity B3: only SVIDs with other ids", async () => {
  await using bench = await BrokerBench.start();
  bench.broker.svids.set(REFERENCE, [bench.broker.ca.issue("/ns/a/sa/b")]);
  assert.equal(
    (await bench.refusal()).message,
    "SPIFFE Broker returned SVID for spiffe://example.org/ns/a/sa/b, expected spiffe://example.org/ns/default/sa/test-sa",
  );
});

Deno.test("identity B4, observed O25: an empty list is reported at once, a later entry is pushed", async () => {
  await using bench = await BrokerBench.start();
  const { message, code } = await bench.refusal();
  assert.match(message, /^SPIFFE Broker returned no SVIDs in response: no registration entry .* fits pod uid-123456 /);
  assert.equal(code, "NO_ENTRY");
  bench.broker.svids.set(REFERENCE, [bench.broker.ca.issue(PATH)]);
  bench.broker.push();
  await eventually("the push", () => bench.updates.length === 1);
  assert.equal((await bench.fetch()).serial, bench.updates[0]);
});

Deno.test("identity B5: a subject without a uid, and one that the CNI agent has not announced", async () => {
  await using bench = await BrokerBench.start();
  assert.match((await bench.refusal(subjectOf("test-sa", null))).message, /requires a workload pod UID$/);
  bench.pods = [];
  assert.match(
    (await bench.refusal()).message,
    /requires WorkloadInfo \(the CNI agent has not announced pod uid-123456/,
  );
});

Deno.test("identity B8: a message with an empty key is ignored, the certificate stays in use", async () => {
  await using bench = await BrokerBench.start();
  const svid = bench.broker.ca.issue(PATH);
  bench.broker.svids.set(REFERENCE, [svid]);
  const issued = await bench.fetch();
  bench.broker.pushMessage(bench.broker.message([{ ...svid, key: new Uint8Array() }]));
  await eventually("the warning", () => bench.lines.some((line) => line.includes("without certificate, key or trust")));
  assert.equal((await bench.fetch()).serial, issued.serial);
  assert.deepEqual(bench.updates, []);
});

Deno.test("identity B9: a workload that is not entitled any more loses its SVID at once", async () => {
  await using bench = await BrokerBench.start();
  bench.broker.svids.set(REFERENCE, [bench.broker.ca.issue(PATH)]);
  await bench.fetch();
  bench.broker.refusal = { code: grpc.status.PERMISSION_DENIED, details: "not entitled" };
  bench.broker.failAll(grpc.status.PERMISSION_DENIED, "not entitled");
  await eventually("the withdrawal", () => bench.updates.length === 1);
  assert.equal(bench.updates[0], "SPIFFE Broker transport error: not entitled");
});

Deno.test("identity 5.1: while the broker is unavailable, certificates stay in use", async () => {
  await using bench = await BrokerBench.start();
  bench.broker.svids.set(REFERENCE, [bench.broker.ca.issue(PATH)]);
  const issued = await bench.fetch();
  bench.broker.failAll(grpc.status.UNAVAILABLE, "later");
  await eventually("the second stream", () => bench.broker.references.length === 2);
  assert.equal((await bench.fetch()).serial, issued.serial);
});

Deno.test("identity B10, B11, 5.5: federated bundles apply to their domain only, and do not replace the own one", async () => {
  await using bench = await BrokerBench.start();
  const foreign = spireCa("td2.test").root.certificate;
  bench.broker.federated = {
    "spiffe://td2.test": foreign,
    "spiffe://example.org": foreign,
    "spiffe://broken.test": Uint8Array.of(1),
  };
  bench.broker.svids.set(REFERENCE, [bench.broker.ca.issue(PATH)]);
  const { bundles } = await bench.fetch();
  assert.deepEqual([...bundles.byTrustDomain.keys()].sort(), ["example.org", "td2.test"]);
  assert.deepEqual(bundles.byTrustDomain.get("example.org"), [bench.broker.ca.root.certificate]);
  assert.deepEqual(bundles.anyTrustDomain, []);
});

Deno.test("identity S40: the bundles of one workload do not apply to others", async () => {
  await using bench = await BrokerBench.start();
  const [alone, federated] = [subjectOf(), subjectOf("test-sa", "uid-2")];
  bench.pods = [POD, { ...POD, uid: "uid-2", name: "app-1" }];
  for (const reference of [REFERENCE, "pods.core default/app-1 uid-2"]) {
    bench.broker.svids.set(reference, [bench.broker.ca.issue(PATH)]);
  }
  const trusted = async (subject: CertificateSubject) => [...(await bench.fetch(subject)).bundles.byTrustDomain.keys()];
  assert.deepEqual(await trusted(alone), ["example.org"]);
  bench.broker.federated = { "spiffe://td2.test": spireCa("td2.test").root.certificate };
  assert.deepEqual((await trusted(federated)).sort(), ["example.org", "td2.test"]);
  assert.deepEqual(await trusted(alone), ["example.org"], "unchanged");
  assert.deepEqual(bench.updates, []);
});

Deno.test("identity S40, 5.3: a warning says that revocation lists of a broker are not used", () => {
  const warnings: string[] = [];
  for (const crl of [[], [Uint8Array.of(48, 0)]]) {
    brokerMessage({ svids: [], crl, federatedBundles: {} }, (text) => warnings.push(text));
  }
  assert.deepEqual(warnings, ["revocation lists of the SPIFFE Broker are not used; CRL_PATH names a file of them"]);
});

Deno.test("identity S39: a broker with another SPIFFE id is refused", async () => {
  await using bench = await BrokerBench.start({ SPIFFE_BROKER_SERVER_SPIFFE_ID: "spiffe://example.org/spire/agent/x" });
  const { message } = await bench.refusal();
  assert.match(
    message,
    /the broker is spiffe:\/\/example.org\/spire\/agent\/join_token\/t, and SPIFFE_BROKER_SERVER_SPIFFE_ID expects/,
  );
  assert.deepEqual(bench.broker.references, []);
});

Deno.test("identity 5.4: without an expected id any id of the trust domain is accepted as the broker, with a warning", async () => {
  await using bench = await BrokerBench.start({ SPIFFE_BROKER_SERVER_SPIFFE_ID: undefined });
  bench.broker.svids.set(REFERENCE, [bench.broker.ca.issue(PATH)]);
  assert.ok(await bench.fetch());
  assert.match(bench.lines[0]!, /^warn SPIFFE_BROKER_SERVER_SPIFFE_ID is not set/);
});

Deno.test("identity 5.4: the proxy has no SVID with the configured id", async () => {
  await using bench = await BrokerBench.start({ SPIFFE_BROKER_WORKLOAD_API_SPIFFE_ID: "spiffe://example.org/missing" });
  const { message } = await bench.refusal();
  assert.match(
    message,
    /no SVID for spiffe:\/\/example.org\/missing \(it gives spiffe:\/\/example.org\/other, spiffe:/,
  );
  assert.match(message, /SPIFFE_BROKER_WORKLOAD_API_SPIFFE_ID must be the id of an entry for the proxy's own pod/);
});

Deno.test("identity 5.4: the proxy's own SVID is renewed: later streams use it, open ones continue", async () => {
  await using bench = await BrokerBench.start();
  const other = { ...POD, uid: "uid-2", name: "app-1" };
  bench.pods = [POD, other];
  bench.broker.svids.set(REFERENCE, [bench.broker.ca.issue(PATH)]);
  bench.broker.svids.set("pods.core default/app-1 uid-2", [bench.broker.ca.issue(PATH)]);
  await bench.fetch();
  bench.broker.renewOwn(OWN);
  const second = subjectOf("test-sa", "uid-2");
  await eventually("a stream with the new SVID", async () => {
    bench.authority.release(second);
    await bench.fetch(second);
    return new Set(bench.broker.callerSerials).size === 2;
  });
  bench.broker.svids.set(REFERENCE, [bench.broker.ca.issue(PATH)]);
  bench.broker.push();
  await eventually("the push on the first stream", () => bench.updates.length === 1);
});

Deno.test("identity 5.4: the proxy's own workload gets the SVID that the Workload API gives the proxy", async () => {
  await using bench = await BrokerBench.start();
  const self = { id: workloadId("example.org", "istio-system", "ztunnel")!, workloadUid: null };
  const issued = await bench.fetch(self);
  assert.equal(issued.id, self.id);
  assert.deepEqual(bench.broker.references, []);
  bench.broker.renewOwn(OWN);
  await eventually("the renewed one", () => bench.updates.length === 1);
  assert.notEqual(bench.updates[0], issued.serial);
});

Deno.test("identity 5.4: attestation by process", async () => {
  using folder = tempDir("zb-");
  await using runtime = await ScriptedRuntime.start(`${folder.path}/cri.sock`);
  runtime.add({ uid: POD.uid, containers: [running("a", 4321)] });
  const variables = { SPIFFE_BROKER_ATTESTATION: "pid", CONTAINER_RUNTIME_SOCK_PATH: runtime.path };
  await using bench = await BrokerBench.start(variables);
  bench.broker.svids.set("pid 4321", [bench.broker.ca.issue(PATH)]);
  assert.ok(await bench.fetch());
  assert.deepEqual(bench.broker.references, ["pid 4321"]);
});

Deno.test("identity 5.4: the error for missing sockets names the settings", async () => {
  await using bench = await BrokerBench.start({ SPIFFE_BROKER_WORKLOAD_API_SOCKET: "unix:///nowhere/agent.sock" });
  assert.match((await bench.refusal()).message, /SPIFFE_BROKER_WORKLOAD_API_SOCKET must be the path of socket_path/);
  await using second = await BrokerBench.start({ SPIFFE_BROKER_SOCKET: "unix:///nowhere/broker.sock" });
  assert.match((await second.refusal()).message, /SPIFFE_BROKER_SOCKET must be the path of experimental\.broker/);
});

Deno.test("identity 5.2: messages with empty or malformed fields", () => {
  const svid = {
    spiffeId: subjectOf().id,
    x509Svid: Uint8Array.of(1),
    x509SvidKey: Uint8Array.of(1),
    bundle: Uint8Array.of(1),
    hint: "",
  };
  const problem = (change: Partial<typeof svid> | { spiffeId: string }) => {
    const message = brokerMessage({ svids: [{ ...svid, ...change }], crl: [], federatedBundles: {} }, () => {});
    return message instanceof CertificateError ? message.message : "none";
  };
  assert.match(problem({ spiffeId: "x" }), /without a valid SPIFFE id/);
  assert.match(problem({ x509Svid: new Uint8Array() }), /without certificate, key or trust bundle/);
  assert.match(problem({ bundle: new Uint8Array() }), /without certificate, key or trust bundle/);
  assert.match(problem({}), /a trust bundle for .* that cannot be used: malformed/);
});

certificateAuthorityContract("broker", async () => {
  const bench = await BrokerBench.start();
  const other = { ...POD, uid: "uid-2", name: "app-1" };
  bench.pods = [POD, other];
  bench.broker.svids.set(REFERENCE, [bench.broker.ca.issue(PATH)]);
  bench.broker.svids.set("pods.core default/app-1 uid-2", [bench.broker.ca.issue("/ns/default/sa/two")]);
  return {
    authority: bench.authority,
    subjects: [subjectOf(), subjectOf("two", "uid-2")],
    refused: subjectOf("three", "uid-2"),
    now: Date.now,
    tearDown: () => bench[Symbol.asyncDispose](),
  };
});
