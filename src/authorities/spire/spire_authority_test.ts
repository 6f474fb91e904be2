import { strict as assert } from "node:assert";
import { type ScriptedStream, SpireBench, subjectOf } from "../../../testkit/spire/source.ts";
import { spireCa } from "../../../testkit/spire/ca.ts";
import { CertificateError } from "../../identity/authority.ts";

Deno.test("identity P6, P7, S24: each pod of a service account has its own stream", async () => {
  const bench = new SpireBench();
  await bench.request(subjectOf("test-sa", "uid-1"));
  await bench.request(subjectOf("test-sa", "uid-1"));
  assert.equal(bench.source.attestations, 1);
  await bench.request(subjectOf("test-sa", "uid-2"));
  assert.equal(bench.source.attestations, 2);
  assert.equal(bench.authority.size, 2);
  bench.authority.release(subjectOf("test-sa", "uid-1"));
  assert.deepEqual(bench.source.streams.map(({ ended }) => ended), [true, false]);
  bench.authority.close();
});

Deno.test("identity S23: a released pod has no stream and is not requested again", async () => {
  const bench = new SpireBench();
  await bench.certificate();
  bench.authority.release(subjectOf());
  assert.ok(bench.source.last.ended);
  assert.equal(bench.authority.size, 0);
  await bench.clock.advance(3600_000);
  assert.equal(bench.source.attestations, 1);
  assert.equal(bench.clock.timers, 0);
  bench.authority.close();
});

Deno.test("identity S23: requests for a released pod are rejected", async () => {
  const bench = new SpireBench();
  const pending = await bench.request();
  bench.authority.release(subjectOf());
  await bench.clock.advance(0);
  assert.equal(pending.error?.code, "FORGOTTEN");
  bench.authority.close();
});

Deno.test("identity 4.8: the number of attestations is limited, and waiting pods follow", async () => {
  const bench = new SpireBench({ concurrency: 3 });
  const pending = [];
  for (let i = 0; i < 10; i++) pending.push(await bench.request(subjectOf(`sa-${i}`, `uid-${i}`)));
  assert.equal(bench.source.streams.length, 3);
  for (let i = 0; i < 10; i++) {
    bench.source.streams[i]!.sends(bench.svid(`sa-${i}`));
    await bench.clock.advance(0);
    assert.ok(bench.source.streams.length <= i + 4);
  }
  assert.ok(pending.every(({ issued }) => issued !== null));
  bench.authority.close();
});

Deno.test("identity 4.8: an SVID that has to be minted first does not delay attestations of others", async () => {
  const bench = new SpireBench({ concurrency: 1 });
  await bench.request(subjectOf("slow", "uid-1"));
  const pending = await bench.request();
  assert.equal(bench.source.streams.length, 1);
  bench.source.script = (stream: ScriptedStream) => stream.sends(bench.svid());
  await bench.clock.advance(1_000);
  assert.ok(pending.issued !== null);
  bench.authority.close();
});

Deno.test("identity 4.8: the timeout begins when the attempt has its slot", async () => {
  const bench = new SpireBench({ concurrency: 1 });
  const first = await bench.request(subjectOf("a", "uid-1"));
  const second = await bench.request(subjectOf("b", "uid-2"));
  await bench.clock.advance(10_000);
  assert.equal(first.error?.code, "TIMEOUT");
  assert.equal(second.error, null);
  await bench.clock.advance(1_000);
  assert.equal(second.error!.code, "TIMEOUT");
  bench.authority.close();
});

Deno.test("identity 4.8: the number of streams is limited", async () => {
  const bench = new SpireBench({ maxSubjects: 2 });
  await bench.request(subjectOf("a"));
  await bench.request(subjectOf("b"));
  assert.match((await bench.request(subjectOf("c"))).error!.message, /2 identities already/);
  bench.authority.release(subjectOf("a"));
  assert.equal((await bench.request(subjectOf("c"))).error, null);
  bench.authority.close();
});

Deno.test("identity 5.5: a foreign domain is trusted by workloads that federate with it", async () => {
  const bench = new SpireBench({ bundles: false });
  const foreign = spireCa("other.test").root.certificate;
  bench.bundles({ "example.org": [bench.ca.root.certificate], "other.test": [foreign] });
  const first = await bench.request(subjectOf("a"));
  bench.source.last.sends(bench.svid("a"));
  const second = await bench.request(subjectOf("b"));
  const federatesWith = ["spiffe://other.test"];
  bench.source.last.message({ svids: [bench.svid("b")], federatesWith, bundles: null });
  await bench.clock.advance(0);
  assert.deepEqual([...first.issued!.bundles.byTrustDomain.keys()], ["example.org"]);
  assert.deepEqual([...second.issued!.bundles.byTrustDomain.keys()], ["example.org", "other.test"]);
  bench.authority.close();
});

Deno.test("identity S30: no private key in log lines and errors", async () => {
  const bench = new SpireBench();
  const issued = await bench.certificate();
  const key = String.fromCharCode(...issued.key);
  bench.source.last.message({ svids: [{ ...bench.svid(), chain: [] }], federatesWith: [], bundles: null });
  bench.source.script = (stream) => stream.sends(bench.svid("other"));
  bench.source.last.sends(bench.svid("other"));
  await bench.clock.advance(1_000);
  const output = [...bench.lines, ...bench.updates, (await bench.request()).error!.message].join("\n");
  for (const text of [key, btoa(key), Deno.inspect(issued.key)]) assert.ok(!output.includes(text));
  assert.ok(!Deno.inspect(bench.authority, { depth: 8 }).includes("Uint8Array"));
  bench.authority.close();
});

Deno.test("spire authority: close ends streams and requests", async () => {
  const bench = new SpireBench();
  const pending = await bench.request();
  bench.authority.close();
  await bench.clock.advance(0);
  assert.equal(pending.error?.code, "CLOSED");
  assert.ok(bench.source.last.ended && bench.source.closed);
  assert.equal(bench.clock.timers, 0);
  assert.equal((await bench.request()).error?.code, "CLOSED");
});

/** Returns a bench with `count` certificates, whose agent then ends all streams and refuses the delegate. */
async function refused(count: number): Promise<SpireBench> {
  const bench = new SpireBench();
  for (let i = 0; i < count; i++) await bench.certificate(`a${i}`);
  const refusal = new CertificateError("no identity issued", "DENIED");
  bench.source.refusal = refusal;
  for (const stream of [...bench.source.streams]) stream.fail(refusal);
  return bench;
}

Deno.test("identity 4.8: once a refused delegate is accepted again, all pods are served within 15 s", async () => {
  const bench = await refused(50);
  await bench.clock.advance(250_000);
  assert.equal(bench.updates.length, 0);
  bench.source.refusal = null;
  bench.source.script = (stream) => stream.sends(bench.svid(/[^/]+$/.exec(stream.subject.id)![0]));
  await bench.clock.advance(15_000);
  assert.equal(new Set(bench.updates).size, 50);
  bench.authority.close();
});

Deno.test("observed O24: while the delegate is refused, only one session is retried frequently", async () => {
  const bench = await refused(50);
  await bench.clock.advance(600_000);
  const before = bench.source.attestations;
  await bench.clock.advance(60_000);
  // The delay of each session is 150 s by now; one session is retried every 5 s.
  const attempts = bench.source.attestations - before;
  assert.ok(attempts <= 12 + 50, `${attempts}`);
  bench.authority.close();
});

Deno.test("identity 4.8: a pod that the broker refuses is not retried because streams of others work", async () => {
  const bench = new SpireBench();
  bench.source.withdrawsOn = new Set(["DENIED"]);
  await bench.certificate("a");
  await bench.request(subjectOf("b"));
  bench.source.last.fail(new CertificateError("not entitled", "DENIED"));
  bench.source.script = (stream) => stream.fail(new CertificateError("not entitled", "DENIED"));
  await bench.clock.advance(600_000);
  const before = bench.source.attestations;
  await bench.clock.advance(140_000);
  assert.ok(bench.source.attestations - before <= 1);
  bench.authority.close();
});

Deno.test("identity P2: connected only with the bundle of its own trust domain; another one is logged at once", async () => {
  const bench = new SpireBench({ bundles: false });
  let connected = false;
  void bench.authority.connected.then(() => connected = true);
  bench.bundles({ "other.test": [bench.ca.root.certificate], "example.org": [] });
  await bench.clock.advance(0);
  assert.ok(!connected);
  assert.match(
    bench.lines.join("\n"),
    /^warn SPIRE has no trust bundle of example\.org, which CLUSTER_DOMAIN says .* other\.test/,
  );
  bench.bundles({ "example.org": [bench.ca.root.certificate] });
  await bench.clock.advance(0);
  assert.ok(connected);
  assert.equal(bench.lines.length, 1);
  bench.authority.close();
});
