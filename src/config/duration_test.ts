import { strict as assert } from "node:assert";
import fc from "fast-check";
import { nanosToMillis, parseDuration, splitMillis } from "./duration.ts";

/** Seconds, as `docs/spec/config-admin.md` 9.1 lists them. */
const SECONDS: readonly (readonly [string, number])[] = [
  ["0", 0],
  ["1", 1],
  ["1hr", 3600],
  ["1m31", 91],
  ["1m31s", 91],
  ["1m+31", 91],
  ["1m*60", 3600],
  ["1m*60*20", 72000],
  ["1m+60+24", 144],
  ["3m + 13s + 29ms", 193.029],
  ["1m*10ms", 0.6],
  ["1m * 1ns", 60e-9],
  ["3m  31s", 211],
  ["1d2h3min4s", 93784],
  ["1 d", 86400],
  ["   1d   ", 86400],
  ["1m*1m", 3600],
  ["1m*10", 600],
  ["2Y", 2 * 365 * 86400],
  ["1MON 1w", 37 * 86400],
  ["5µs", 5e-6],
  ["5\u03bcsec", 5e-6],
  ["5usecond", 5e-6],
  ["7nsec", 7e-9],
];

for (const [text, seconds] of SECONDS) {
  Deno.test(`config 9.1 duration "${text}" is ${seconds} s`, () => {
    const result = parseDuration(text);
    assert.ok(result.ok);
    assert.equal(Number(result.value) / 1e9, seconds);
  });
}

const REFUSED: readonly (readonly [string, string])[] = [
  ["580y*2", "overflow error"],
  ["", "Empty input"],
  ["1m+3*5", "not support '+' with '*' calculate"],
  ["0mxyz", '0mxyz\n ^\nexpected ["y", "mon", "w", "d", "h", "m", "s", "ms", "µs", "us", "ns"]'],
  ["3ms-2ms", "3ms-2ms\n   ^\nexpected ['+', '*']"],
  ["0m+3-5", "0m+3-5\n    ^\nexpected ['+', '*']"],
  ["1h30m-2", "1h30m-2\n     ^\nexpected ['+', '*']"],
  ["1.5s", "1.5s\n ^\nexpected ['+', '*']"],
  ["-5s", "-5s\n^\nexpected digits"],
  ["5x", '5x\n ^\nexpected ["y", "mon", "w", "d", "h", "m", "s", "ms", "µs", "us", "ns"]'],
  ["1m+", "1m+\n   ^\nexpected digits"],
  ["1 2s", '1 2s\n ^\nexpected ["y", "mon", "w", "d", "h", "m", "s", "ms", "µs", "us", "ns"]'],
  ["  ", "  \n  ^\nexpected digits"],
];

for (const [text, reason] of REFUSED) {
  Deno.test(`config 9.1 duration "${text}" is refused`, () => {
    assert.deepEqual(parseDuration(text), { ok: false, reason });
  });
}

Deno.test("duration: any text is parsed or refused, and none makes it throw", () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[0-9 +*a-zµ]{0,40}$/));
  fc.assert(fc.property(text, (input) => {
    const result = parseDuration(input);
    assert.ok(result.ok ? result.value >= 0n : result.reason.length > 0);
  }));
});

Deno.test("duration: milliseconds keep nanoseconds", () => {
  assert.equal(nanosToMillis(1_000_001n), 1.000001);
  assert.deepEqual(splitMillis(1500.25), { secs: 1, nanos: 500_250_000 });
  assert.deepEqual(splitMillis(300_000), { secs: 300, nanos: 0 });
});
