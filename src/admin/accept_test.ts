import { strict as assert } from "node:assert";
import { acceptAll } from "./accept.ts";

Deno.test("observed O29: failed accepts are retried after pauses and make two log lines", async () => {
  const stop = new AbortController();
  const answers = ["a", new Error("Too many open files (os error 24)"), new Error("again"), new Error("again"), "b"];
  const seen: string[] = [];
  let pauses = 0;
  const listener = {
    accept(): Promise<string> {
      const answer = answers.shift();
      if (answer instanceof Error) return Promise.reject(answer);
      if (answer !== undefined) return Promise.resolve(answer);
      stop.abort();
      return Promise.reject(new Error("closed"));
    },
  };
  const timers = {
    after(_delay: number, run: () => void) {
      pauses++;
      queueMicrotask(run);
      return { cancel() {} };
    },
  };
  await acceptAll(listener, stop.signal, timers, {
    onConnection: (connection) => seen.push(connection),
    onFailure: (reason) => seen.push(reason),
    onRecovery: (failures) => seen.push(`${failures} failures`),
  });
  assert.deepEqual(seen, ["a", "Too many open files (os error 24)", "3 failures", "b"]);
  assert.equal(pauses, 3);
});

Deno.test("accept: stopping ends a pause", async () => {
  const stop = new AbortController();
  const timers = { after: () => (queueMicrotask(() => stop.abort()), { cancel() {} }) };
  await acceptAll({ accept: () => Promise.reject(new Error("no")) }, stop.signal, timers, {
    onConnection: () => assert.fail(),
    onFailure: () => {},
    onRecovery: () => assert.fail(),
  });
});
