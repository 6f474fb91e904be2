import { strict as assert } from "node:assert";
import { CertificateError } from "../../identity/authority.ts";
import { TestClock } from "../../identity/testkit/clock.ts";
import { followStream } from "./follow_stream.ts";

/** Follows streams whose messages `script` returns; each ends after its messages. */
function bed(script: () => readonly string[] | CertificateError, ending = new AbortController()) {
  const clock = new TestClock(0);
  const events: string[] = [];
  followStream<string>({
    clock,
    random: () => 0.5,
    longestPause: 5_000,
    firstMessage: 30_000,
    open() {
      const answer = script();
      if (answer instanceof CertificateError) return Promise.reject(answer);
      const left = [...answer];
      return Promise.resolve({ read: () => Promise.resolve(left.shift() ?? null) });
    },
    onMessage: (message) => events.push(message),
    onProblem: ({ message }, retryIn, isNew) =>
      events.push(`${isNew ? "" : "again: "}${message} (${retryIn / 1000} s)`),
    onRecovered: () => events.push("recovered"),
  }, ending.signal);
  return { clock, events, ending };
}

const failure = new CertificateError("failure", "UNAVAILABLE");

Deno.test("identity 4.8: delays grow to their limit; a lasting problem is new once a minute", async () => {
  const { clock, events, ending } = bed(() => failure);
  await clock.advance(7_000);
  assert.deepEqual(events, ["failure (1 s)", "again: failure (2 s)", "again: failure (4 s)", "again: failure (5 s)"]);
  await clock.advance(60_000);
  assert.equal(events.filter((line) => !line.startsWith("again")).length, 2);
  ending.abort();
  await clock.advance(60_000);
  assert.equal(clock.timers, 0);
});

Deno.test("identity 4.8: a recovery is reported before the first message after a failure", async () => {
  const answers: (readonly string[] | CertificateError)[] = [["one"], failure, ["two", "three"]];
  const { clock, events, ending } = bed(() => answers.shift() ?? failure);
  await clock.advance(3_000);
  assert.deepEqual(events.slice(0, 6), [
    "one",
    "the stream was closed by the agent (1 s)",
    "failure (2 s)",
    "recovered",
    "two",
    "three",
  ]);
  ending.abort();
  await clock.advance(0);
});

Deno.test("identity 4.8: a stream without a message in time is closed, and reported like other failures", async () => {
  const clock = new TestClock(0);
  const ending = new AbortController();
  const events: string[] = [];
  followStream<string>({
    clock,
    random: () => 0.5,
    longestPause: 5_000,
    firstMessage: 30_000,
    open: (signal) =>
      Promise.resolve({
        read: () => new Promise((_, reject) => signal.addEventListener("abort", () => reject(failure), { once: true })),
      }),
    onMessage: () => events.push("message"),
    onProblem: ({ message, code }) => events.push(`${code} ${message}`),
    onRecovered: () => {},
  }, ending.signal);
  await clock.advance(29_999);
  assert.deepEqual(events, []);
  await clock.advance(1);
  assert.deepEqual(events, [
    "TIMEOUT the agent accepts the stream and has sent nothing for 30 s; does it reach its SPIRE server?",
  ]);
  ending.abort();
  await clock.advance(0);
  assert.equal(clock.timers, 0);
});

Deno.test("identity 4.8: attempts remove their listeners", async () => {
  const ending = new AbortController();
  let listeners = 0;
  const { addEventListener, removeEventListener } = ending.signal;
  ending.signal.addEventListener = (...args: Parameters<AbortSignal["addEventListener"]>) => {
    listeners++;
    addEventListener.apply(ending.signal, args);
  };
  ending.signal.removeEventListener = (...args: Parameters<AbortSignal["removeEventListener"]>) => {
    listeners--;
    removeEventListener.apply(ending.signal, args);
  };
  const { clock } = bed(() => failure, ending);
  await clock.advance(600_000);
  assert.equal(listeners, 1, "the listener of the delay");
  ending.abort();
  await clock.advance(0);
});
