import { strict as assert } from "node:assert";
import { CertificateError } from "../../identity/authority.ts";
import { TestClock } from "../../identity/testkit/clock.ts";
import { followStream } from "./follow_stream.ts";

/** Streams are given what to say when they are opened; then they end. */
function bed(script: () => readonly string[] | CertificateError, ending = new AbortController()) {
  const clock = new TestClock(0);
  const said: string[] = [];
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
    onMessage: (message) => said.push(message),
    onProblem: ({ message }, retryIn, news) => said.push(`${news ? "" : "again: "}${message} (${retryIn / 1000} s)`),
    onRecovered: () => said.push("back"),
  }, ending.signal);
  return { clock, said, ending };
}

const gone = new CertificateError("gone", "UNAVAILABLE");

Deno.test("identity 4.8: pauses grow to their bound; a problem that stays is told once a minute", async () => {
  const { clock, said, ending } = bed(() => gone);
  await clock.advance(7_000);
  assert.deepEqual(said, ["gone (1 s)", "again: gone (2 s)", "again: gone (4 s)", "again: gone (5 s)"]);
  await clock.advance(60_000);
  assert.equal(said.filter((line) => !line.startsWith("again")).length, 2);
  ending.abort();
  await clock.advance(60_000);
  assert.equal(clock.timers, 0);
});

Deno.test("identity 4.8: the first message after a failure says that the agent is back", async () => {
  const answers: (readonly string[] | CertificateError)[] = [["one"], gone, ["two", "three"]];
  const { clock, said, ending } = bed(() => answers.shift() ?? gone);
  await clock.advance(3_000);
  assert.deepEqual(said.slice(0, 6), [
    "one",
    "the stream was closed by the agent (1 s)",
    "gone (2 s)",
    "back",
    "two",
    "three",
  ]);
  ending.abort();
  await clock.advance(0);
});

Deno.test("identity 4.8: a stream that brings no message in time is closed, and reported like any other failure", async () => {
  const clock = new TestClock(0);
  const ending = new AbortController();
  const said: string[] = [];
  followStream<string>({
    clock,
    random: () => 0.5,
    longestPause: 5_000,
    firstMessage: 30_000,
    open: (signal) =>
      Promise.resolve({
        read: () => new Promise((_, reject) => signal.addEventListener("abort", () => reject(gone), { once: true })),
      }),
    onMessage: () => said.push("message"),
    onProblem: ({ message, code }) => said.push(`${code} ${message}`),
    onRecovered: () => {},
  }, ending.signal);
  await clock.advance(29_999);
  assert.deepEqual(said, []);
  await clock.advance(1);
  assert.deepEqual(said, [
    "TIMEOUT the agent accepts the stream and has sent nothing for 30 s; does it reach its SPIRE server?",
  ]);
  ending.abort();
  await clock.advance(0);
  assert.equal(clock.timers, 0);
});

Deno.test("identity 4.8: attempts leave no listener behind", async () => {
  const ending = new AbortController();
  let listeners = 0;
  const { addEventListener, removeEventListener } = ending.signal;
  ending.signal.addEventListener = (...about: Parameters<AbortSignal["addEventListener"]>) => {
    listeners++;
    addEventListener.apply(ending.signal, about);
  };
  ending.signal.removeEventListener = (...about: Parameters<AbortSignal["removeEventListener"]>) => {
    listeners--;
    removeEventListener.apply(ending.signal, about);
  };
  const { clock } = bed(() => gone, ending);
  await clock.advance(600_000);
  assert.equal(listeners, 1, "the listener of the pause");
  ending.abort();
  await clock.advance(0);
});
