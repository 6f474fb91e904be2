/** What one subject's stream says and what becomes of it, under virtual time (`docs/spec/identity-spire.md` 9.6). */
import { strict as assert } from "node:assert";
import { spireCa } from "../../../testkit/spire/ca.ts";
import { SpireBench, START, subjectOf } from "../../../testkit/spire/source.ts";
import { CertificateError } from "../../identity/authority.ts";

const ID = subjectOf().id;
const gone = new CertificateError("PID mismatch", "NO_PROCESS");

Deno.test("identity P3: the first SVID of the stream is the certificate", async () => {
  const bench = new SpireBench();
  const issued = await bench.have();
  assert.equal(issued.id, ID);
  assert.deepEqual([...issued.bundles.byTrustDomain.keys()], ["example.org"]);
  assert.deepEqual(bench.updates, []);
  bench.authority.close();
});

Deno.test("identity P2: no bundle of the configured trust domain", async () => {
  const bench = new SpireBench({ bundles: false });
  bench.bundles({ "other.test": [bench.ca.root.certificate] });
  const answer = await bench.ask();
  bench.source.last.says(bench.svid());
  await bench.clock.advance(0);
  assert.match(
    answer.error!.message,
    /No bundle found for trust domain: example\.org \(SPIRE has bundles of other\.test/,
  );
  assert.match(answer.error!.message, /CLUSTER_DOMAIN must be SPIRE's trust domain/);
  bench.authority.close();
});

Deno.test("identity P4, S19: a process that changed before the answer came", async () => {
  const bench = new SpireBench();
  bench.source.recycled = gone;
  const answer = await bench.ask();
  bench.source.last.says(bench.svid());
  await bench.clock.advance(0);
  assert.equal(answer.error, gone);
  assert.ok(bench.source.last.ended);
  bench.authority.close();
});

Deno.test("identity P8: the lookup fails, and is tried again", async () => {
  const bench = new SpireBench();
  bench.source.refusal = new CertificateError("No PID found for pod", "NO_PROCESS");
  const answer = await bench.ask();
  assert.equal(answer.error, bench.source.refusal);
  assert.equal(bench.authority.size, 1);
  await bench.clock.advance(7_000);
  assert.equal(bench.source.attestations, 4); // at 0, 1, 3 and 7 s
  bench.authority.close();
});

Deno.test("identity P9: a message that cannot be read first, an SVID 3 s later", async () => {
  const bench = new SpireBench();
  const answer = await bench.ask();
  bench.source.last.message(new CertificateError("empty Workload API response", "INVALID_CERTIFICATE"));
  await bench.clock.advance(3_000);
  assert.deepEqual(bench.lines, ["warn Error receiving SVID response: empty Workload API response"]);
  bench.source.last.says(bench.svid());
  await bench.clock.advance(0);
  assert.equal(answer.issued?.id, ID);
  bench.authority.close();
});

Deno.test("identity P9, P20: an empty list is told at once, the entry that is created 2 s later is pushed", async () => {
  const bench = new SpireBench({ keyedBy: "identity" });
  const answer = await bench.ask();
  bench.source.last.says();
  await bench.clock.advance(250);
  assert.equal(answer.error?.message, `no registration entry for ${ID} that fits PID 10`);
  assert.equal(answer.error?.code, "NO_ENTRY");
  await bench.clock.advance(2_000);
  bench.source.last.says(bench.svid());
  await bench.clock.advance(0);
  assert.equal(bench.updates.length, 1);
  const second = await bench.ask();
  assert.equal(second.issued?.serial, bench.updates[0]);
  assert.equal(bench.source.attestations, 1);
  bench.authority.close();
});

Deno.test("identity P19, P21, observed O24: while the stream is open, the same question costs no request", async () => {
  const bench = new SpireBench({ keyedBy: "identity" });
  await bench.ask();
  bench.source.last.says();
  await bench.clock.advance(1_000);
  for (let i = 0; i < 5; i++) assert.equal((await bench.ask()).error?.code, "NO_ENTRY");
  assert.equal(bench.source.attestations, 1);
  bench.authority.close();
});

Deno.test("observed O21: an empty list that is followed by a full one is no error", async () => {
  const bench = new SpireBench();
  const answer = await bench.ask();
  bench.source.last.says();
  await bench.clock.advance(15);
  bench.source.last.says(bench.svid());
  await bench.clock.advance(1_000);
  assert.equal(answer.error, null);
  assert.ok(answer.issued !== null);
  bench.authority.close();
});

Deno.test("observed O21: lists repeated are no news", async () => {
  const bench = new SpireBench();
  const answer = await bench.ask();
  const svid = bench.svid();
  for (let i = 0; i < 3; i++) {
    bench.source.last.says(svid);
    await bench.clock.advance(100);
  }
  assert.deepEqual(bench.updates, []);
  assert.equal((await bench.ask()).issued, answer.issued);
  bench.authority.close();
});

Deno.test("identity P10: the stream ends without a message", async () => {
  const bench = new SpireBench();
  const answer = await bench.ask();
  bench.source.last.message(null);
  await bench.clock.advance(0);
  assert.match(answer.error!.message, /No SVIDs received in stream/);
  bench.authority.close();
});

Deno.test("identity P11: one bad message, then silence", async () => {
  const bench = new SpireBench();
  const answer = await bench.ask();
  bench.source.last.message(new CertificateError("bad", "INVALID_CERTIFICATE"));
  await bench.clock.advance(9_999);
  assert.equal(answer.error, null);
  await bench.clock.advance(1);
  assert.equal(answer.error!.message, "Timeout while waiting for SVID stream (bad)");
  assert.equal(answer.error!.code, "TIMEOUT");
  bench.authority.close();
});

Deno.test("identity 4.2: an SVID that is not minted yet times out, and is pushed when it is", async () => {
  const bench = new SpireBench();
  const answer = await bench.ask();
  await bench.clock.advance(10_000);
  assert.equal(answer.error!.message, "Timeout while waiting for SVID stream (no SVID issued yet)");
  bench.source.last.says(bench.svid());
  await bench.clock.advance(0);
  assert.equal(bench.updates.length, 1);
  bench.authority.close();
});

Deno.test("identity P16: bundles never come", async () => {
  const bench = new SpireBench({ bundles: false });
  const answer = await bench.ask();
  bench.source.last.says(bench.svid());
  await bench.clock.advance(10_000);
  assert.equal(answer.error!.message, "Timeout while waiting for SVID stream (no trust bundle of example.org yet)");
  bench.bundles({ "example.org": [bench.ca.root.certificate] });
  assert.equal(bench.updates.length, 1);
  bench.authority.close();
});

Deno.test("observed O19: bundles that were refused a moment ago are waited for", async () => {
  const bench = new SpireBench({ bundles: false });
  bench.source.events!.onProblem(new CertificateError("no identity issued", "DENIED"));
  const answer = await bench.ask();
  bench.source.last.says(bench.svid());
  await bench.clock.advance(5_000);
  assert.equal(answer.error, null);
  bench.bundles({ "example.org": [bench.ca.root.certificate] });
  await bench.clock.advance(0);
  assert.ok(answer.issued !== null);
  const second = await bench.ask(subjectOf("b"));
  assert.equal(second.error, null);
  bench.authority.close();
});

Deno.test("identity P16: bundles are refused, and the refusal is the cause that is told", async () => {
  const bench = new SpireBench({ bundles: false });
  bench.source.events!.onProblem(new CertificateError("no identity issued", "DENIED"));
  const answer = await bench.ask();
  bench.source.last.says(bench.svid());
  await bench.clock.advance(10_000);
  assert.equal(answer.error!.message, "Timeout while waiting for SVID stream (no identity issued)");
  bench.authority.close();
});

Deno.test("identity P12, S17: SVIDs of others only", async () => {
  const bench = new SpireBench();
  const answer = await bench.ask();
  bench.source.last.says(bench.svid("other-sa"), bench.svid("third-sa"));
  await bench.clock.advance(250);
  assert.match(answer.error!.message, /Mismatched identity: expected .*test-sa, got .*other-sa$/);
  bench.authority.close();
});

const foreign = spireCa("other.test");
const elsewhere = foreign.issue("/ns/default/sa/test-sa", { now: START });

// The second claims to be ours, and its certificate does not.
for (
  const [what, raw, text] of [
    [
      "as it is",
      elsewhere,
      /Mismatched identity: expected spiffe:\/\/example\.org\/.*, got spiffe:\/\/other\.test\/.* is example\.org: CLUSTER_DOMAIN and/,
    ],
    [
      "under our id",
      { ...elsewhere, id: ID },
      /Mismatched identity: .*, got spiffe:\/\/other\.test\/.* in the certificate/,
    ],
  ] as const
) {
  Deno.test(`identity S18: an SVID of a foreign trust domain, ${what}`, async () => {
    const bench = new SpireBench();
    bench.bundles({ "example.org": [bench.ca.root.certificate], "other.test": [foreign.root.certificate] });
    const answer = await bench.ask();
    bench.source.last.message({ svids: [raw], federatesWith: ["spiffe://other.test"], bundles: null });
    await bench.clock.advance(10_000);
    assert.equal(answer.issued, null);
    assert.match(answer.error!.message, text);
    bench.authority.close();
  });
}
