/** Sessions that have a certificate: renewal, withdrawal, failed streams (`docs/spec/identity-spire.md` 4.8, 9.6). */
import { strict as assert } from "node:assert";
import { describe, SpireBench, START, subjectOf } from "../../../testkit/spire/source.ts";
import { spireCa } from "../../../testkit/spire/ca.ts";
import { CertificateError } from "../../identity/authority.ts";
import { makeCa } from "../../identity/testkit/certificates.ts";

const ID = subjectOf().id;
const processEnded = new CertificateError("PID mismatch", "NO_PROCESS");
const dropped = new CertificateError("Connection dropped", "UNAVAILABLE");

Deno.test("identity P27: a pushed SVID replaces the certificate without a request", async () => {
  const bench = new SpireBench();
  const first = await bench.certificate();
  await bench.clock.advance(60_000);
  bench.source.last.sends(bench.svid());
  await bench.clock.advance(0);
  assert.equal(bench.updates.length, 1);
  assert.notEqual(bench.updates[0], first.serial);
  assert.equal(bench.source.attestations, 1);
  bench.authority.close();
});

Deno.test("identity P28, S25: the entry is deleted", async () => {
  const bench = new SpireBench();
  await bench.certificate();
  bench.source.script = (stream) => stream.sends();
  bench.source.last.sends();
  await bench.clock.advance(250);
  assert.deepEqual(bench.updates, [], "one empty list is not enough");
  await bench.clock.advance(250);
  assert.equal(bench.source.attestations, 2);
  assert.deepEqual(bench.updates, [`no registration entry for ${ID} that fits PID 10`]);
  assert.equal((await bench.request()).error?.code, "NO_ENTRY");
  bench.authority.close();
});

Deno.test("identity P29: a further root is trusted at once, with the same SVID", async () => {
  const bench = new SpireBench();
  const first = await bench.certificate();
  const next = makeCa("NEXT").certificate;
  bench.bundles({ "example.org": [bench.ca.root.certificate, next] });
  assert.deepEqual(bench.updates, [first.serial]);
  const second = (await bench.request()).issued!;
  assert.equal(second.bundles.byTrustDomain.get("example.org")?.length, 2);
  assert.equal(second.key, first.key);
  assert.equal(bench.source.attestations, 1);
  bench.authority.close();
});

Deno.test("observed O20: an expired SVID does not replace a valid one", async () => {
  const bench = new SpireBench();
  const first = await bench.certificate("test-sa", 60_000);
  const stale = bench.ca.issue("/ns/default/sa/test-sa", { now: START - 100_000, lifetime: 50_000 });
  bench.source.last.sends(stale);
  await bench.clock.advance(1_000);
  assert.deepEqual(bench.updates, []);
  assert.equal((await bench.request()).issued, first);
  bench.authority.close();
});

Deno.test("observed O20: an agent without its server repeats an expired SVID; a later one is used", async () => {
  const bench = new SpireBench();
  const issued = await bench.certificate("test-sa", 60_000);
  const stale = { id: ID, chain: issued.chain, key: issued.key };
  bench.source.script = (stream) => stream.sends(stale);
  await bench.clock.advance(61_000);
  const pending = await bench.request();
  assert.match(
    pending.error!.message,
    /expired at 2026-01-01T00:01:00.000Z \(.*says 2026-01-01T00:01:01.000Z\); can the agent reach its SPIRE server\?/,
  );
  bench.source.last.sends(bench.svid());
  await bench.clock.advance(0);
  assert.equal(bench.updates.length, 1);
  bench.authority.close();
});

Deno.test("identity 4.8: a certificate that was not replaced in time causes one new stream", async () => {
  const bench = new SpireBench();
  const issued = await bench.certificate("test-sa", 100_000);
  const repeat = { id: ID, chain: issued.chain, key: issued.key };
  bench.source.script = (stream) => stream.sends(repeat);
  await bench.clock.advance(50_000);
  assert.equal((await bench.request()).issued, issued);
  assert.equal(bench.source.attestations, 1);
  await bench.clock.advance(10_000);
  for (let i = 0; i < 5; i++) assert.equal((await bench.request()).issued, issued);
  assert.equal(bench.source.attestations, 2);
  assert.ok(bench.source.streams[0]!.ended);
  bench.authority.close();
});

Deno.test("observed O20: the error of a silent agent names the expiry of the last certificate", async () => {
  const bench = new SpireBench();
  await bench.certificate("test-sa", 60_000);
  await bench.clock.advance(61_000);
  const pending = await bench.request();
  await bench.clock.advance(10_000);
  assert.match(
    pending.error!.message,
    /no new SVID, and the last one is good until 2026-01-01T00:01:00.000Z; can the agent/,
  );
  bench.authority.close();
});

Deno.test("identity 4.8: the stream fails: the certificate stays in use, and the stream is reopened", async () => {
  const bench = new SpireBench();
  const issued = await bench.certificate();
  await bench.clock.advance(1_000);
  bench.source.last.fail(dropped);
  await bench.clock.advance(0);
  assert.deepEqual(bench.updates, []);
  bench.source.script = (stream) => stream.sends(bench.svid());
  await bench.clock.advance(1_000);
  assert.equal(bench.source.attestations, 2);
  assert.equal(bench.updates.length, 1);
  assert.notEqual(bench.updates[0], issued.serial);
  bench.authority.close();
});

Deno.test("identity 4.8: a stream that has worked for a while is reopened at once", async () => {
  const bench = new SpireBench();
  await bench.certificate();
  await bench.clock.advance(60_000);
  bench.source.last.message(null);
  await bench.clock.advance(0);
  assert.equal(bench.source.attestations, 2);
  bench.authority.close();
});

Deno.test("identity 4.8: it is reopened at once also when the clock was set back", async () => {
  const bench = new SpireBench();
  await bench.certificate();
  await bench.clock.advance(60_000);
  bench.clock.set(START - 3_600_000);
  bench.source.last.message(null);
  await bench.clock.advance(0);
  assert.equal(bench.source.attestations, 2);
  bench.authority.close();
});

Deno.test("identity 4.8: when the agent recovers, waiting sessions are retried at once", async () => {
  const bench = new SpireBench();
  bench.source.refusal = dropped;
  await bench.request();
  await bench.clock.advance(200_000);
  const before = bench.source.attestations;
  bench.source.refusal = null;
  bench.source.script = (stream) => stream.sends(bench.svid());
  bench.source.events!.onRecovered();
  await bench.clock.advance(0);
  assert.equal(bench.source.attestations, before + 1);
  assert.equal(bench.updates.length, 1);
  bench.authority.close();
});

Deno.test("identity B9: a failure by which the workload is not entitled any more withdraws the certificate", async () => {
  const bench = new SpireBench();
  bench.source.withdrawsOn = new Set(["DENIED"]);
  await bench.certificate();
  bench.source.last.fail(new CertificateError("not entitled", "DENIED"));
  await bench.clock.advance(0);
  assert.deepEqual(bench.updates, ["not entitled"]);
  bench.authority.close();
});

Deno.test("observed O22: the process ends: the stream is closed and the pod is looked up again", async () => {
  const bench = new SpireBench();
  await bench.certificate();
  bench.source.processProblem = processEnded;
  await bench.clock.advance(5_000);
  assert.ok(bench.source.streams[0]!.ended);
  bench.source.processProblem = null;
  bench.source.last.sends(bench.svid());
  await bench.clock.advance(0);
  assert.equal(bench.source.attestations, 2);
  assert.equal(bench.updates.length, 1);
  bench.authority.close();
});

Deno.test("observed O23: a delegate whose entry was deleted fails with the next push, keeps its certificates, and is retried", async () => {
  const bench = new SpireBench();
  await bench.certificate();
  const refusal = new CertificateError("caller not configured as an authorized delegate", "DENIED");
  bench.source.refusal = refusal;
  await bench.clock.advance(600_000);
  assert.equal(bench.source.attestations, 1, "no push yet");
  bench.source.last.fail(refusal);
  await bench.clock.advance(10_000);
  assert.ok(bench.source.attestations > 1);
  assert.deepEqual(bench.updates, [], "nothing is withdrawn");
  assert.equal((await bench.request()).error?.code, "DENIED");
  bench.source.refusal = null;
  bench.source.script = (stream) => stream.sends(bench.svid());
  await bench.clock.advance(60_000);
  assert.equal(bench.updates.length, 1);
  bench.authority.close();
});

Deno.test("observed O19: a refused delegate is retried, and served after its authorization", async () => {
  const bench = new SpireBench();
  bench.source.refusal = new CertificateError("no identity issued", "DENIED");
  assert.equal((await bench.request()).error?.code, "DENIED");
  bench.source.refusal = null;
  bench.source.script = (stream) => stream.sends(bench.svid());
  await bench.clock.advance(1_000);
  assert.equal(bench.updates.length, 1);
  assert.equal(describe((await bench.request()).issued!), bench.updates[0]);
  bench.authority.close();
});

Deno.test("identity P29: a certificate whose root is revoked is withdrawn until a new one arrives", async () => {
  const bench = new SpireBench();
  await bench.certificate();
  const next = spireCa("example.org");
  bench.bundles({ "example.org": [next.root.certificate] });
  assert.match(
    bench.updates.join("\n"),
    /^no root in the trust bundle of example\.org has issued .* its root was revoked/,
  );
  const waiting = await bench.request();
  bench.source.last.sends(next.issue("/ns/default/sa/test-sa", { now: bench.clock.now() }));
  await bench.clock.advance(0);
  assert.equal(waiting.issued?.id, ID);
  assert.equal(bench.source.attestations, 1);
  bench.authority.close();
});

Deno.test("identity P29: an SVID that arrives before its root is used when the bundle arrives; the old one stays in use until then", async () => {
  const bench = new SpireBench();
  const first = await bench.certificate();
  const next = spireCa("example.org");
  bench.source.last.sends(next.issue("/ns/default/sa/test-sa", { now: bench.clock.now() }));
  await bench.clock.advance(0);
  assert.deepEqual(bench.updates, []);
  assert.equal((await bench.request()).issued, first);
  bench.bundles({ "example.org": [bench.ca.root.certificate, next.root.certificate] });
  assert.equal(bench.updates.length, 1);
  assert.notEqual(bench.updates[0], first.serial);
  bench.authority.close();
});

Deno.test("identity S15: an SVID that is not valid yet is reported as a wrong clock, with both times", async () => {
  const bench = new SpireBench();
  await bench.request();
  bench.source.last.sends(bench.ca.issue("/ns/default/sa/test-sa", { now: START + 3600_000 }));
  await bench.clock.advance(0);
  assert.match(
    bench.lines.join("\n"),
    /valid from 2026-01-01T00:59:50.000Z on, and the clock of this node says 2026-01-01T00:00:00.000Z/,
  );
  bench.authority.close();
});
