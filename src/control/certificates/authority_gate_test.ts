import { strict as assert } from "node:assert";
import { CertificateError, type IssuedCertificate } from "../../identity/authority.ts";
import { testSubject } from "../../identity/testkit/authority.ts";
import { TestClock } from "../../identity/testkit/clock.ts";
import { askUntilAnswered } from "./ask_until_answered.ts";
import { authorityGate } from "./authority_gate.ts";

Deno.test("authority gate: opens without an authority, with its answer, or after the limit", async () => {
  const clock = new TestClock(0);
  assert.equal(await authorityGate(null, 30_000, clock), "answered");
  assert.equal(await authorityGate(Promise.resolve(), 30_000, clock), "answered");
  assert.equal(clock.timers, 0);
  const never = authorityGate(new Promise(() => {}), 30_000, clock);
  await clock.advance(29_999);
  assert.equal(clock.timers, 1);
  await clock.advance(1);
  assert.equal(await never, "limit");
});

Deno.test("authority gate: a certificate is requested every 5 s, failures are logged once a minute", async () => {
  const clock = new TestClock(0);
  const ending = new AbortController();
  const warned: string[] = [];
  const asked: number[] = [];
  let works = false;
  let answered = false;
  void askUntilAnswered({
    authority: {
      fetch() {
        asked.push(clock.now());
        return works
          ? Promise.resolve({} as IssuedCertificate)
          : Promise.reject(new CertificateError("the CA is not there", "SIGNING_REQUEST"));
      },
    },
    subject: testSubject("ztunnel"),
    clock,
    random: () => 0.5,
    warn: (text) => warned.push(text),
  }, ending.signal).then(() => answered = true);
  await clock.advance(60_000);
  assert.deepEqual(asked.slice(0, 6), [0, 1_000, 3_000, 7_000, 12_000, 17_000]);
  assert.equal(warned.length, 1);
  assert.match(
    warned[0]!,
    /^no certificate for the proxy itself \(spiffe:.*\), which is not ready .*: the CA is not there$/,
  );
  works = true;
  await clock.advance(5_000);
  assert.ok(answered);
  assert.equal(clock.timers, 0);
});

Deno.test("authority gate: requests stop when the process ends", async () => {
  const clock = new TestClock(0);
  const ending = new AbortController();
  const authority = { fetch: () => Promise.reject(new CertificateError("no", "SIGNING_REQUEST")) };
  const asking = { authority, subject: testSubject("a"), clock, random: () => 0.5, warn() {} };
  void askUntilAnswered(asking, ending.signal);
  await clock.advance(0);
  ending.abort();
  await clock.advance(0);
  assert.equal(clock.timers, 0);
});
