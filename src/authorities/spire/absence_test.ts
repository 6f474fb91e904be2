/** An agent that at first has no SVID for a pod, under virtual time (`docs/spec/identity-spire.md` 4.8). */
import { strict as assert } from "node:assert";
import { ScriptedStream, SpireBench, subjectOf } from "../../../testkit/spire/source.ts";
import { CertificateError } from "../../identity/authority.ts";

/** The next `left` streams get an empty list, later ones the SVID. */
function emptyFor(bench: SpireBench, left: number): void {
  bench.source.script = (stream: ScriptedStream) => {
    if (left-- > 0) stream.sends();
    else stream.sends(bench.svid());
  };
}

Deno.test("identity 4.8: an incomplete attestation is repeated until the pod has its SVID", async () => {
  const bench = new SpireBench();
  emptyFor(bench, 3);
  const pending = await bench.request();
  await bench.clock.advance(250);
  assert.equal(pending.error?.code, "NO_ENTRY");
  await bench.clock.advance(10_000);
  assert.equal(bench.updates.length, 1);
  // Each list is reported after 250 ms; the delays are 1, 2 and 4 s.
  assert.deepEqual(bench.source.attestedAt, [0, 1_250, 3_500, 7_750]);
  await bench.clock.advance(600_000);
  assert.equal(bench.source.attestations, 4, "a pod that has its SVID is not attested again");
  bench.authority.close();
});

Deno.test("identity 4.8: a pod without an entry is attested once a minute at least", async () => {
  const bench = new SpireBench();
  bench.source.script = (stream) => stream.sends();
  await bench.request();
  await bench.clock.advance(600_000);
  const before = bench.source.attestations;
  await bench.clock.advance(600_000);
  assert.equal(bench.source.attestations - before, 10);
  bench.authority.close();
});

Deno.test("identity 4.8: with selectors by account nothing is attested, so no new stream is opened", async () => {
  const bench = new SpireBench({ keyedBy: "identity" });
  await bench.request();
  bench.source.last.sends();
  await bench.clock.advance(600_000);
  assert.equal(bench.source.attestations, 1);
  bench.authority.close();
});

Deno.test("identity 4.8: a restarted container keeps its certificate while its attestation is incomplete", async () => {
  const bench = new SpireBench();
  await bench.certificate();
  emptyFor(bench, 2);
  bench.source.processProblem = new CertificateError("process 10 has ended", "NO_PROCESS");
  await bench.clock.advance(5_000);
  bench.source.processProblem = null;
  await bench.clock.advance(10_000);
  assert.equal(bench.updates.length, 1);
  assert.match(bench.updates[0]!, /^\d+$/, "a new certificate, and no withdrawal");
  bench.authority.close();
});

for (const keyedBy of ["workload", "identity"] as const) {
  Deno.test(`identity 4.8: certificates stay while a newly attested agent has no entries yet (${keyedBy})`, async () => {
    const bench = new SpireBench({ keyedBy });
    const issued = await bench.certificate();
    await bench.clock.advance(60_000);
    bench.source.script = (stream) => stream.sends();
    bench.source.last.fail(new CertificateError("Connection dropped", "UNAVAILABLE"));
    await bench.clock.advance(10_000);
    assert.deepEqual(bench.updates, []);
    assert.equal((await bench.request()).issued, issued);
    bench.source.last.sends(bench.svid());
    await bench.clock.advance(0);
    assert.equal(bench.updates.length, 1);
    await bench.clock.advance(60_000);
    assert.equal(bench.updates.length, 1);
    bench.authority.close();
  });

  Deno.test(`identity 4.8: an absence is accepted when the agent still has no entry after 15 s (${keyedBy})`, async () => {
    const bench = new SpireBench({ keyedBy });
    await bench.certificate();
    await bench.clock.advance(60_000);
    bench.source.script = (stream) => stream.sends();
    bench.source.last.fail(new CertificateError("Connection dropped", "UNAVAILABLE"));
    await bench.clock.advance(14_900);
    assert.deepEqual(bench.updates, []);
    await bench.clock.advance(4_000);
    assert.match(bench.updates.join("\n"), /^no registration entry for/);
    assert.equal((await bench.request()).error?.code, "NO_ENTRY");
    bench.authority.close();
  });
}

for (const minutes of [-60, 10]) {
  Deno.test(`identity 4.8: the 15 s until an absence is accepted are the same when the clock is set by ${minutes} min`, async () => {
    const bench = new SpireBench({ keyedBy: "identity" });
    await bench.certificate();
    await bench.clock.advance(60_000);
    bench.source.script = (stream) => stream.sends();
    bench.source.last.fail(new CertificateError("Connection dropped", "UNAVAILABLE"));
    await bench.clock.advance(5_000);
    bench.clock.set(bench.clock.now() + minutes * 60_000);
    await bench.clock.advance(9_900);
    assert.deepEqual(bench.updates, []);
    await bench.clock.advance(4_000);
    assert.match(bench.updates.join("\n"), /^no registration entry for/);
    bench.authority.close();
  });
}

Deno.test("identity P28: with selectors by account a deleted entry ends the certificate at once", async () => {
  const bench = new SpireBench({ keyedBy: "identity" });
  await bench.certificate();
  bench.source.last.sends();
  await bench.clock.advance(250);
  assert.equal(bench.updates.length, 1);
  assert.equal(bench.source.attestations, 1);
  bench.authority.close();
});

Deno.test("identity 4.8: a missing process is looked up every 3 s, whatever requests arrive", async () => {
  const bench = new SpireBench();
  bench.source.refusal = new CertificateError("No running containers found", "NO_PROCESS");
  for (let i = 0; i < 300; i++) {
    await bench.request();
    await bench.clock.advance(1_000);
  }
  const { length } = bench.source.attestedAt;
  await bench.clock.advance(30_000);
  assert.equal(bench.source.attestedAt.length - length, 10);
  bench.source.refusal = null;
  bench.source.script = (stream) => stream.sends(bench.svid());
  await bench.clock.advance(3_000);
  assert.equal(bench.updates.length, 1);
  bench.authority.close();
});

Deno.test("identity 4.3: when the container runtime reports a start, the pod is looked up at once", async () => {
  const bench = new SpireBench();
  bench.source.refusal = new CertificateError("No running containers found", "NO_PROCESS");
  await bench.request();
  await bench.clock.advance(20_100);
  bench.source.refusal = null;
  bench.source.script = (stream) => stream.sends();
  bench.source.events!.onContainerStarted("another-uid");
  await bench.clock.advance(0);
  const before = bench.source.attestations;
  bench.source.events!.onContainerStarted(subjectOf().workloadUid!);
  await bench.clock.advance(250);
  assert.equal(bench.source.attestations, before + 1);
  // The first container has no entry; another container of the pod starts.
  bench.source.script = (stream) => stream.sends(bench.svid());
  bench.source.events!.onContainerStarted(subjectOf().workloadUid!);
  await bench.clock.advance(0);
  assert.match(bench.updates.at(-1)!, /^\d+$/);
  bench.authority.close();
});

Deno.test("identity 4.3: the containers of a pod are attested in turn before the absence is reported", async () => {
  const bench = new SpireBench();
  bench.source.processes = 3;
  bench.source.script = (stream) => bench.source.attestations === 3 ? stream.sends(bench.svid()) : stream.sends();
  const pending = await bench.request();
  await bench.clock.advance(500);
  assert.equal(pending.issued?.id, subjectOf().id);
  const none = new SpireBench();
  none.source.processes = 3;
  none.source.script = (stream) => stream.sends();
  const refused = await none.request();
  await none.clock.advance(749);
  assert.equal(refused.error, null);
  await none.clock.advance(1);
  assert.match(refused.error!.message, /fits PID 12$/);
  for (const { authority } of [bench, none]) authority.close();
});

Deno.test("identity 4.2: a stream without a message is opened again, and logged", async () => {
  const bench = new SpireBench();
  await bench.request();
  bench.source.script = (stream) => stream.sends(bench.svid());
  await bench.clock.advance(60_000);
  assert.match(
    bench.lines.join("\n"),
    /^warn Timeout while waiting .*; the stream was silent for 60 s and is opened again$/,
  );
  assert.ok(bench.source.streams[0]!.ended);
  await bench.clock.advance(2_000);
  assert.equal(bench.updates.length, 1);
  bench.authority.close();
});
