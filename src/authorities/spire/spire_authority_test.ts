import { strict as assert } from "node:assert";
import { type ScriptedStream, SpireBench, subjectOf } from "../../../testkit/spire/source.ts";
import { spireCa } from "../../../testkit/spire/ca.ts";
import { CertificateError } from "../../identity/authority.ts";

Deno.test("identity P6, P7, S24: pods of one service account have streams of their own", async () => {
  const bench = new SpireBench();
  await bench.ask(subjectOf("test-sa", "uid-1"));
  await bench.ask(subjectOf("test-sa", "uid-1"));
  assert.equal(bench.source.attestations, 1);
  await bench.ask(subjectOf("test-sa", "uid-2"));
  assert.equal(bench.source.attestations, 2);
  assert.equal(bench.authority.size, 2);
  bench.authority.release(subjectOf("test-sa", "uid-1"));
  assert.deepEqual(bench.source.streams.map(({ ended }) => ended), [true, false]);
  bench.authority.close();
});

Deno.test("identity S23: a pod that is gone has no stream, no key and no further request", async () => {
  const bench = new SpireBench();
  await bench.have();
  bench.authority.release(subjectOf());
  assert.ok(bench.source.last.ended);
  assert.equal(bench.authority.size, 0);
  await bench.clock.advance(3600_000);
  assert.equal(bench.source.attestations, 1);
  assert.equal(bench.clock.timers, 0);
  bench.authority.close();
});

Deno.test("identity S23: whoever waits for a released pod is told so", async () => {
  const bench = new SpireBench();
  const answer = await bench.ask();
  bench.authority.release(subjectOf());
  await bench.clock.advance(0);
  assert.equal(answer.error?.code, "FORGOTTEN");
  bench.authority.close();
});

Deno.test("identity 4.8: attestations are bounded, waiting pods are not forgotten", async () => {
  const bench = new SpireBench({ concurrency: 3 });
  const answers = [];
  for (let i = 0; i < 10; i++) answers.push(await bench.ask(subjectOf(`sa-${i}`, `uid-${i}`)));
  assert.equal(bench.source.streams.length, 3);
  for (let i = 0; i < 10; i++) {
    bench.source.streams[i]!.says(bench.svid(`sa-${i}`));
    await bench.clock.advance(0);
    assert.ok(bench.source.streams.length <= i + 4);
  }
  assert.ok(answers.every(({ issued }) => issued !== null));
  bench.authority.close();
});

Deno.test("identity 4.8: an SVID that has to be minted first does not keep others from being attested", async () => {
  const bench = new SpireBench({ concurrency: 1 });
  await bench.ask(subjectOf("slow", "uid-1"));
  const answer = await bench.ask();
  assert.equal(bench.source.streams.length, 1);
  bench.source.script = (stream: ScriptedStream) => stream.says(bench.svid());
  await bench.clock.advance(1_000);
  assert.ok(answer.issued !== null);
  bench.authority.close();
});

Deno.test("identity 4.8: the time for an answer counts from the slot on", async () => {
  const bench = new SpireBench({ concurrency: 1 });
  const first = await bench.ask(subjectOf("a", "uid-1"));
  const second = await bench.ask(subjectOf("b", "uid-2"));
  await bench.clock.advance(10_000);
  assert.equal(first.error?.code, "TIMEOUT");
  assert.equal(second.error, null);
  await bench.clock.advance(1_000);
  assert.equal(second.error!.code, "TIMEOUT");
  bench.authority.close();
});

Deno.test("identity 4.8: the number of streams is bounded", async () => {
  const bench = new SpireBench({ maxSubjects: 2 });
  await bench.ask(subjectOf("a"));
  await bench.ask(subjectOf("b"));
  assert.match((await bench.ask(subjectOf("c"))).error!.message, /2 identities already/);
  bench.authority.release(subjectOf("a"));
  assert.equal((await bench.ask(subjectOf("c"))).error, null);
  bench.authority.close();
});

Deno.test("identity 5.5: a foreign domain is trusted by workloads that federate with it", async () => {
  const bench = new SpireBench({ bundles: false });
  const foreign = spireCa("other.test").root.certificate;
  bench.bundles({ "example.org": [bench.ca.root.certificate], "other.test": [foreign] });
  const first = await bench.ask(subjectOf("a"));
  bench.source.last.says(bench.svid("a"));
  const second = await bench.ask(subjectOf("b"));
  const federatesWith = ["spiffe://other.test"];
  bench.source.last.message({ svids: [bench.svid("b")], federatesWith, bundles: null });
  await bench.clock.advance(0);
  assert.deepEqual([...first.issued!.bundles.byTrustDomain.keys()], ["example.org"]);
  assert.deepEqual([...second.issued!.bundles.byTrustDomain.keys()], ["example.org", "other.test"]);
  bench.authority.close();
});

Deno.test("identity S30: no private key in anything that is said", async () => {
  const bench = new SpireBench();
  const issued = await bench.have();
  const key = String.fromCharCode(...issued.key);
  bench.source.last.message({ svids: [{ ...bench.svid(), chain: [] }], federatesWith: [], bundles: null });
  bench.source.script = (stream) => stream.says(bench.svid("other"));
  bench.source.last.says(bench.svid("other"));
  await bench.clock.advance(1_000);
  const said = [...bench.lines, ...bench.updates, (await bench.ask()).error!.message].join("\n");
  for (const text of [key, btoa(key), Deno.inspect(issued.key)]) assert.ok(!said.includes(text));
  assert.ok(!Deno.inspect(bench.authority, { depth: 8 }).includes("Uint8Array"));
  bench.authority.close();
});

Deno.test("spire authority: close ends everything", async () => {
  const bench = new SpireBench();
  const answer = await bench.ask();
  bench.authority.close();
  await bench.clock.advance(0);
  assert.equal(answer.error?.code, "CLOSED");
  assert.ok(bench.source.last.ended && bench.source.closed);
  assert.equal(bench.clock.timers, 0);
  assert.equal((await bench.ask()).error?.code, "CLOSED");
});

/** `count` subjects, each with a certificate; the agent then ends their streams and refuses its delegate. */
async function refused(count: number): Promise<SpireBench> {
  const bench = new SpireBench();
  for (let i = 0; i < count; i++) await bench.have(`a${i}`);
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
  bench.source.script = (stream) => stream.says(bench.svid(/[^/]+$/.exec(stream.subject.id)![0]));
  await bench.clock.advance(15_000);
  assert.equal(new Set(bench.updates).size, 50);
  bench.authority.close();
});

Deno.test("observed O24: while the delegate is refused, one pod's session asks for all", async () => {
  const bench = await refused(50);
  await bench.clock.advance(600_000);
  const before = bench.source.attestations;
  await bench.clock.advance(60_000);
  // Each session's own pause is 150 s by now; the one that asks for all does so every 5 s.
  const asked = bench.source.attestations - before;
  assert.ok(asked <= 12 + 50, `${asked}`);
  bench.authority.close();
});

Deno.test("identity 4.8: a broker that refuses one pod is not asked again because others work", async () => {
  const bench = new SpireBench();
  bench.source.withdrawsOn = new Set(["DENIED"]);
  await bench.have("a");
  await bench.ask(subjectOf("b"));
  bench.source.last.fail(new CertificateError("not entitled", "DENIED"));
  bench.source.script = (stream) => stream.fail(new CertificateError("not entitled", "DENIED"));
  await bench.clock.advance(600_000);
  const before = bench.source.attestations;
  await bench.clock.advance(140_000);
  assert.ok(bench.source.attestations - before <= 1);
  bench.authority.close();
});

Deno.test("identity P2: connected with the bundle of its own trust domain only; another one is logged at once", async () => {
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
