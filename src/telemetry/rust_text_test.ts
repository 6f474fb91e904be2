import { strict as assert } from "node:assert";
import { durationText, quote, quoteList } from "./rust_text.ts";
import { timestamps } from "./timestamp.ts";

const QUOTED: readonly (readonly [string, string])[] = [
  ["plain 'text'", `"plain 'text'"`],
  ['a"b\\c', '"a\\"b\\\\c"'],
  ["a\nb\rc\td\0", '"a\\nb\\rc\\td\\0"'],
  ["\x7f\x1b", '"\\u{7f}\\u{1b}"'],
  ["grüße 你好 🙂", '"grüße 你好 🙂"'],
  ["\u200b\u00a0\u2028", '"\\u{200b}\\u{a0}\\u{2028}"'],
  ["\u0301", '"\\u{301}"'],
];
for (const [text, quoted] of QUOTED) {
  Deno.test(`config 6.3 ${JSON.stringify(text)} is shown as ${quoted}`, () => assert.equal(quote(text), quoted));
}

Deno.test("config 6.3 lists", () => assert.equal(quoteList(["a", "b"]), '["a", "b"]'));

const DURATIONS: readonly (readonly [number, string])[] = [
  [20, "20ms"],
  [1280, "1.28s"],
  [977.257416, "977.257416ms"],
  [34214.544676, "34.214544676s"],
  [1.234567, "1.234567ms"],
  [2500, "2.5s"],
  [0.0015, "1.5µs"],
  [0.000012, "12ns"],
  [0, "0ns"],
  [100, "100ms"],
  [60_000, "60s"],
];
for (const [millis, text] of DURATIONS) {
  Deno.test(`config 6.3 duration ${text}`, () => assert.equal(durationText(millis), text));
}

Deno.test("config 6.3 timestamps have six digits, also across seconds", () => {
  const format = timestamps();
  const second = Date.UTC(2026, 7, 20, 12) * 1000;
  assert.equal(format(second), "2026-08-20T12:00:00.000000Z");
  assert.equal(format(second + 999_999), "2026-08-20T12:00:00.999999Z");
  assert.equal(format(second + 1_000_001), "2026-08-20T12:00:01.000001Z");
});
