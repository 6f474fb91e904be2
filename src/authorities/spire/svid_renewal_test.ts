/** What a session does once it has a certificate: renewal, withdrawal, broken streams (`docs/spec/identity-spire.md` 4.8, 9.6). */
import { strict as assert } from "node:assert";
import { describe, SpireBench, START, subjectOf } from "../../../testkit/spire/source.ts";
import { spireCa } from "../../../testkit/spire/ca.ts";
import { CertificateError } from "../../identity/authority.ts";
import { makeCa } from "../../identity/testkit/certificates.ts";

const ID = subjectOf().id;
const gone = new CertificateError("PID mismatch", "NO_PROCESS");
const dropped = new CertificateError("Connection dropped", "UNAVAILABLE");

Deno.test("identity P27: a pushed SVID replaces the certificate, and nobody asks for it", async () => {
  const bench = new SpireBench();
  const first = await bench.have();
  await bench.clock.advance(60_000);
  bench.source.last.says(bench.svid());
  await bench.clock.advance(0);
  assert.equal(bench.updates.length, 1);
  assert.notEqual(bench.updates[0], first.serial);
  assert.equal(bench.source.attestations, 1);
  bench.authority.close();
});

Deno.test("identity P28, S25: the entry is deleted", async () => {
  const bench = new SpireBench();
  await bench.have();
  bench.source.script = (stream) => stream.says();
  bench.source.last.says();
  await bench.clock.advance(250);
  assert.deepEqual(bench.updates, [], "one empty list is not enough");
  await bench.clock.advance(250);
  assert.equal(bench.source.attestations, 2);
  assert.deepEqual(bench.updates, [`no registration entry for ${ID} that fits PID 10`]);
  assert.equal((await bench.ask()).error?.code, "NO_ENTRY");
  bench.authority.close();
});

Deno.test("identity P29: a further root is trusted at once, with the SVID as it is", async () => {
  const bench = new SpireBench();
  const first = await bench.have();
  const next = makeCa("NEXT").certificate;
  bench.bundles({ "example.org": [bench.ca.root.certificate, next] });
  assert.deepEqual(bench.updates, [first.serial]);
  const second = (await bench.ask()).issued!;
  assert.equal(second.bundles.byTrustDomain.get("example.org")?.length, 2);
  assert.equal(second.key, first.key);
  assert.equal(bench.source.attestations, 1);
  bench.authority.close();
});

Deno.test("observed O20: an expired SVID does not replace a valid one", async () => {
  const bench = new SpireBench();
  const first = await bench.have("test-sa", 60_000);
  const stale = bench.ca.issue("/ns/default/sa/test-sa", { now: START - 100_000, lifetime: 50_000 });
  bench.source.last.says(stale);
  await bench.clock.advance(1_000);
  assert.deepEqual(bench.updates, []);
  assert.equal((await bench.ask()).issued, first);
  bench.authority.close();
});

Deno.test("observed O20: while the server is away the agent repeats what expired; it comes back by itself", async () => {
  const bench = new SpireBench();
  const issued = await bench.have("test-sa", 60_000);
  const stale = { id: ID, chain: issued.chain, key: issued.key };
  bench.source.script = (stream) => stream.says(stale);
  await bench.clock.advance(61_000);
  const answer = await bench.ask();
  assert.match(
    answer.error!.message,
    /expired at 2026-01-01T00:01:00.000Z \(.*says 2026-01-01T00:01:01.000Z\); can the agent reach its SPIRE server\?/,
  );
  bench.source.last.says(bench.svid());
  await bench.clock.advance(0);
  assert.equal(bench.updates.length, 1);
  bench.authority.close();
});

Deno.test("identity 4.8: a certificate that nobody replaced in time makes the stream suspect, not more than once", async () => {
  const bench = new SpireBench();
  const issued = await bench.have("test-sa", 100_000);
  const repeat = { id: ID, chain: issued.chain, key: issued.key };
  bench.source.script = (stream) => stream.says(repeat);
  await bench.clock.advance(50_000);
  assert.equal((await bench.ask()).issued, issued);
  assert.equal(bench.source.attestations, 1);
  await bench.clock.advance(10_000);
  for (let i = 0; i < 5; i++) assert.equal((await bench.ask()).issued, issued);
  assert.equal(bench.source.attestations, 2);
  assert.ok(bench.source.streams[0]!.ended);
  bench.authority.close();
});

Deno.test("observed O20: an agent that does not answer when the last certificate ends says why it matters", async () => {
  const bench = new SpireBench();
  await bench.have("test-sa", 60_000);
  await bench.clock.advance(61_000);
  const answer = await bench.ask();
  await bench.clock.advance(10_000);
  assert.match(
    answer.error!.message,
    /no new SVID, and the last one is good until 2026-01-01T00:01:00.000Z; can the agent/,
  );
  bench.authority.close();
});

Deno.test("identity 4.8: the stream breaks; the certificate stays, the stream comes back", async () => {
  const bench = new SpireBench();
  const issued = await bench.have();
  await bench.clock.advance(1_000);
  bench.source.last.fail(dropped);
  await bench.clock.advance(0);
  assert.deepEqual(bench.updates, []);
  bench.source.script = (stream) => stream.says(bench.svid());
  await bench.clock.advance(1_000);
  assert.equal(bench.source.attestations, 2);
  assert.equal(bench.updates.length, 1);
  assert.notEqual(bench.updates[0], issued.serial);
  bench.authority.close();
});

Deno.test("identity 4.8: a stream that worked for long is opened again at once", async () => {
  const bench = new SpireBench();
  await bench.have();
  await bench.clock.advance(60_000);
  bench.source.last.message(null);
  await bench.clock.advance(0);
  assert.equal(bench.source.attestations, 2);
  bench.authority.close();
});

Deno.test("identity 4.8: when the agent is back nobody waits for the end of a pause", async () => {
  const bench = new SpireBench();
  bench.source.refusal = dropped;
  await bench.ask();
  await bench.clock.advance(200_000);
  const before = bench.source.attestations;
  bench.source.refusal = null;
  bench.source.script = (stream) => stream.says(bench.svid());
  bench.source.events!.onRecovered();
  await bench.clock.advance(0);
  assert.equal(bench.source.attestations, before + 1);
  assert.equal(bench.updates.length, 1);
  bench.authority.close();
});

Deno.test("identity B9: where a failure means that the workload has no right any more, the certificate is dropped", async () => {
  const bench = new SpireBench();
  bench.source.withdrawsOn = new Set(["DENIED"]);
  await bench.have();
  bench.source.last.fail(new CertificateError("not entitled", "DENIED"));
  await bench.clock.advance(0);
  assert.deepEqual(bench.updates, ["not entitled"]);
  bench.authority.close();
});

Deno.test("observed O22: the process ends; the stream is closed and the pod looked up again", async () => {
  const bench = new SpireBench();
  await bench.have();
  bench.source.recycled = gone;
  await bench.clock.advance(5_000);
  assert.ok(bench.source.streams[0]!.ended);
  bench.source.recycled = null;
  bench.source.last.says(bench.svid());
  await bench.clock.advance(0);
  assert.equal(bench.source.attestations, 2);
  assert.equal(bench.updates.length, 1);
  bench.authority.close();
});

Deno.test("observed O23: a delegate whose entry is gone hears of it with a push; what it has stays, and it asks again", async () => {
  const bench = new SpireBench();
  await bench.have();
  const refusal = new CertificateError("caller not configured as an authorized delegate", "DENIED");
  bench.source.refusal = refusal;
  await bench.clock.advance(600_000);
  assert.equal(bench.source.attestations, 1, "nobody has said anything");
  bench.source.last.fail(refusal);
  await bench.clock.advance(10_000);
  assert.ok(bench.source.attestations > 1);
  assert.deepEqual(bench.updates, [], "nothing is withdrawn");
  assert.equal((await bench.ask()).error?.code, "DENIED");
  bench.source.refusal = null;
  bench.source.script = (stream) => stream.says(bench.svid());
  await bench.clock.advance(60_000);
  assert.equal(bench.updates.length, 1);
  bench.authority.close();
});

Deno.test("observed O19: a refused delegate asks again, and is served once it is known", async () => {
  const bench = new SpireBench();
  bench.source.refusal = new CertificateError("no identity issued", "DENIED");
  assert.equal((await bench.ask()).error?.code, "DENIED");
  bench.source.refusal = null;
  bench.source.script = (stream) => stream.says(bench.svid());
  await bench.clock.advance(1_000);
  assert.equal(bench.updates.length, 1);
  assert.equal(describe((await bench.ask()).issued!), bench.updates[0]);
  bench.authority.close();
});

Deno.test("identity P29: a certificate whose root is revoked is withdrawn until a new one arrives", async () => {
  const bench = new SpireBench();
  await bench.have();
  const next = spireCa("example.org");
  bench.bundles({ "example.org": [next.root.certificate] });
  assert.match(
    bench.updates.join("\n"),
    /^no root in the trust bundle of example\.org has issued .* its root was revoked/,
  );
  const waiting = await bench.ask();
  bench.source.last.says(next.issue("/ns/default/sa/test-sa", { now: bench.clock.now() }));
  await bench.clock.advance(0);
  assert.equal(waiting.issued?.id, ID);
  assert.equal(bench.source.attestations, 1);
  bench.authority.close();
});

Deno.test("identity P29: an SVID that arrives before its root waits for the bundle, and the old one stays in use", async () => {
  const bench = new SpireBench();
  const first = await bench.have();
  const next = spireCa("example.org");
  bench.source.last.says(next.issue("/ns/default/sa/test-sa", { now: bench.clock.now() }));
  await bench.clock.advance(0);
  assert.deepEqual(bench.updates, []);
  assert.equal((await bench.ask()).issued, first);
  bench.bundles({ "example.org": [bench.ca.root.certificate, next.root.certificate] });
  assert.equal(bench.updates.length, 1);
  assert.notEqual(bench.updates[0], first.serial);
  bench.authority.close();
});

Deno.test("identity S15: an SVID that is not valid yet is reported as a wrong clock, with both times", async () => {
  const bench = new SpireBench();
  await bench.ask();
  bench.source.last.says(bench.ca.issue("/ns/default/sa/test-sa", { now: START + 3600_000 }));
  await bench.clock.advance(0);
  assert.match(
    bench.lines.join("\n"),
    /valid from 2026-01-01T00:59:50.000Z on, and the clock of this node says 2026-01-01T00:00:00.000Z/,
  );
  bench.authority.close();
});
