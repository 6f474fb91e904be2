/** The messages of one subject's stream and their effects, under virtual time (`docs/spec/identity-spire.md` 9.6). */
import { strict as assert } from "node:assert";
import { spireCa } from "../../../testkit/spire/ca.ts";
import { SpireBench, START, subjectOf } from "../../../testkit/spire/source.ts";
import { CertificateError } from "../../identity/authority.ts";

const ID = subjectOf().id;
const processEnded = new CertificateError("PID mismatch", "NO_PROCESS");

Deno.test("identity P3: the first SVID of the stream is the certificate", async () => {
  const bench = new SpireBench();
  const issued = await bench.certificate();
  assert.equal(issued.id, ID);
  assert.deepEqual([...issued.bundles.byTrustDomain.keys()], ["example.org"]);
  assert.deepEqual(bench.updates, []);
  bench.authority.close();
});

Deno.test("identity P2: no bundle of the configured trust domain", async () => {
  const bench = new SpireBench({ bundles: false });
  bench.bundles({ "other.test": [bench.ca.root.certificate] });
  const pending = await bench.request();
  bench.source.last.sends(bench.svid());
  await bench.clock.advance(0);
  assert.match(
    pending.error!.message,
    /No bundle found for trust domain: example\.org \(SPIRE has bundles of other\.test/,
  );
  assert.match(pending.error!.message, /CLUSTER_DOMAIN must be SPIRE's trust domain/);
  bench.authority.close();
});

Deno.test("identity P4, S19: the process ends before the message arrives", async () => {
  const bench = new SpireBench();
  bench.source.processProblem = processEnded;
  const pending = await bench.request();
  bench.source.last.sends(bench.svid());
  await bench.clock.advance(0);
  assert.equal(pending.error, processEnded);
  assert.ok(bench.source.last.ended);
  bench.authority.close();
});

Deno.test("identity P8: the lookup fails, and is retried", async () => {
  const bench = new SpireBench();
  bench.source.refusal = new CertificateError("No PID found for pod", "NO_PROCESS");
  const pending = await bench.request();
  assert.equal(pending.error, bench.source.refusal);
  assert.equal(bench.authority.size, 1);
  await bench.clock.advance(7_000);
  assert.equal(bench.source.attestations, 4); // at 0, 1, 3 and 7 s
  bench.authority.close();
});

Deno.test("identity P9: a malformed message first, an SVID 3 s later", async () => {
  const bench = new SpireBench();
  const pending = await bench.request();
  bench.source.last.message(new CertificateError("empty Workload API response", "INVALID_CERTIFICATE"));
  await bench.clock.advance(3_000);
  assert.deepEqual(bench.lines, ["warn Error receiving SVID response: empty Workload API response"]);
  bench.source.last.sends(bench.svid());
  await bench.clock.advance(0);
  assert.equal(pending.issued?.id, ID);
  bench.authority.close();
});

Deno.test("identity P9, P20: an empty list is reported at once, an entry that is created 2 s later is pushed", async () => {
  const bench = new SpireBench({ keyedBy: "identity" });
  const pending = await bench.request();
  bench.source.last.sends();
  await bench.clock.advance(250);
  assert.equal(pending.error?.message, `no registration entry for ${ID} that fits PID 10`);
  assert.equal(pending.error?.code, "NO_ENTRY");
  await bench.clock.advance(2_000);
  bench.source.last.sends(bench.svid());
  await bench.clock.advance(0);
  assert.equal(bench.updates.length, 1);
  const second = await bench.request();
  assert.equal(second.issued?.serial, bench.updates[0]);
  assert.equal(bench.source.attestations, 1);
  bench.authority.close();
});

Deno.test("identity P19, P21, observed O24: while the stream is open, further requests open no other", async () => {
  const bench = new SpireBench({ keyedBy: "identity" });
  await bench.request();
  bench.source.last.sends();
  await bench.clock.advance(1_000);
  for (let i = 0; i < 5; i++) assert.equal((await bench.request()).error?.code, "NO_ENTRY");
  assert.equal(bench.source.attestations, 1);
  bench.authority.close();
});

Deno.test("observed O21: an empty list that is followed by a full one is no error", async () => {
  const bench = new SpireBench();
  const pending = await bench.request();
  bench.source.last.sends();
  await bench.clock.advance(15);
  bench.source.last.sends(bench.svid());
  await bench.clock.advance(1_000);
  assert.equal(pending.error, null);
  assert.ok(pending.issued !== null);
  bench.authority.close();
});

Deno.test("observed O21: repeated lists cause no updates", async () => {
  const bench = new SpireBench();
  const pending = await bench.request();
  const svid = bench.svid();
  for (let i = 0; i < 3; i++) {
    bench.source.last.sends(svid);
    await bench.clock.advance(100);
  }
  assert.deepEqual(bench.updates, []);
  assert.equal((await bench.request()).issued, pending.issued);
  bench.authority.close();
});

Deno.test("identity P10: the stream ends without a message", async () => {
  const bench = new SpireBench();
  const pending = await bench.request();
  bench.source.last.message(null);
  await bench.clock.advance(0);
  assert.match(pending.error!.message, /No SVIDs received in stream/);
  bench.authority.close();
});

Deno.test("identity P11: a malformed message, then no other", async () => {
  const bench = new SpireBench();
  const pending = await bench.request();
  bench.source.last.message(new CertificateError("bad", "INVALID_CERTIFICATE"));
  await bench.clock.advance(9_999);
  assert.equal(pending.error, null);
  await bench.clock.advance(1);
  assert.equal(pending.error!.message, "Timeout while waiting for SVID stream (bad)");
  assert.equal(pending.error!.code, "TIMEOUT");
  bench.authority.close();
});

Deno.test("identity 4.2: a request for an SVID that is not minted yet times out; the SVID is pushed later", async () => {
  const bench = new SpireBench();
  const pending = await bench.request();
  await bench.clock.advance(10_000);
  assert.equal(pending.error!.message, "Timeout while waiting for SVID stream (no SVID issued yet)");
  bench.source.last.sends(bench.svid());
  await bench.clock.advance(0);
  assert.equal(bench.updates.length, 1);
  bench.authority.close();
});

Deno.test("identity P16: bundles do not arrive", async () => {
  const bench = new SpireBench({ bundles: false });
  const pending = await bench.request();
  bench.source.last.sends(bench.svid());
  await bench.clock.advance(10_000);
  assert.equal(pending.error!.message, "Timeout while waiting for SVID stream (no trust bundle of example.org yet)");
  bench.bundles({ "example.org": [bench.ca.root.certificate] });
  assert.equal(bench.updates.length, 1);
  bench.authority.close();
});

Deno.test("observed O19: a request waits for bundles that were refused before", async () => {
  const bench = new SpireBench({ bundles: false });
  bench.source.events!.onProblem(new CertificateError("no identity issued", "DENIED"));
  const pending = await bench.request();
  bench.source.last.sends(bench.svid());
  await bench.clock.advance(5_000);
  assert.equal(pending.error, null);
  bench.bundles({ "example.org": [bench.ca.root.certificate] });
  await bench.clock.advance(0);
  assert.ok(pending.issued !== null);
  const second = await bench.request(subjectOf("b"));
  assert.equal(second.error, null);
  bench.authority.close();
});

Deno.test("identity P16: bundles are refused, and the error names the refusal", async () => {
  const bench = new SpireBench({ bundles: false });
  bench.source.events!.onProblem(new CertificateError("no identity issued", "DENIED"));
  const pending = await bench.request();
  bench.source.last.sends(bench.svid());
  await bench.clock.advance(10_000);
  assert.equal(pending.error!.message, "Timeout while waiting for SVID stream (no identity issued)");
  bench.authority.close();
});

Deno.test("identity P12, S17: only SVIDs with other ids", async () => {
  const bench = new SpireBench();
  const pending = await bench.request();
  bench.source.last.sends(bench.svid("other-sa"), bench.svid("third-sa"));
  await bench.clock.advance(250);
  assert.match(pending.error!.message, /Mismatched identity: expected .*test-sa, got .*other-sa$/);
  bench.authority.close();
});

const foreign = spireCa("other.test");
const elsewhere = foreign.issue("/ns/default/sa/test-sa", { now: START });

// The second one has the expected id in the message, but not in its certificate.
for (
  const [what, raw, text] of [
    [
      "unchanged",
      elsewhere,
      /Mismatched identity: expected spiffe:\/\/example\.org\/.*, got spiffe:\/\/other\.test\/.* is example\.org: CLUSTER_DOMAIN and/,
    ],
    [
      "with the expected id",
      { ...elsewhere, id: ID },
      /Mismatched identity: .*, got spiffe:\/\/other\.test\/.* in the certificate/,
    ],
  ] as const
) {
  Deno.test(`identity S18: an SVID of a foreign trust domain, ${what}`, async () => {
    const bench = new SpireBench();
    bench.bundles({ "example.org": [bench.ca.root.certificate], "other.test": [foreign.root.certificate] });
    const pending = await bench.request();
    bench.source.last.message({ svids: [raw], federatesWith: ["spiffe://other.test"], bundles: null });
    await bench.clock.advance(10_000);
    assert.equal(pending.issued, null);
    assert.match(pending.error!.message, text);
    bench.authority.close();
  });
}
