import { strict as assert } from "node:assert";
import fc from "fast-check";
import { endOfName, nameText, putName, sameFolded } from "./name.ts";
import { decode, encode } from "./testkit/dns_bed.ts";

/** A message whose names begin after an empty header. */
function message(...bytes: readonly number[]): Uint8Array {
  return Uint8Array.from([...new Uint8Array(12), ...bytes]);
}

function text(name: string): number[] {
  return [...name].map((character) => character.charCodeAt(0));
}

const LABEL_63 = [63, ...text("a".repeat(63))];

const NAMES: readonly (readonly [what: string, bytes: readonly number[], end: number, text: string | null])[] = [
  ["the root", [0], 13, ""],
  ["one label", [1, 97, 0], 15, "a"],
  ["capitals and others", [4, ...text("A-_*"), 1, 90, 0], 20, "a-_*.z"],
  ["a dot in a label is no border", [3, ...text("a.b"), 0], 17, "a\\046b"],
  ["bytes that are no letters", [4, 0, 32, 200, 92, 0], 18, "\\000\\032\\200\\092"],
  [
    "255 bytes",
    [...LABEL_63, ...LABEL_63, ...LABEL_63, 61, ...text("b".repeat(61)), 0],
    12 + 255,
    `${Array(3).fill("a".repeat(63)).join(".")}.${"b".repeat(61)}`,
  ],
  ["256 bytes", [...LABEL_63, ...LABEL_63, ...LABEL_63, 62, ...text("b".repeat(62)), 0], -1, null],
  ["cut short in a label", [5, 97], -1, null],
  ["cut short before the root", [1, 97], -1, null],
  ["nothing", [], -1, null],
  ["a label type that is none", [64, 97, 0], -1, null],
  ["another label type that is none", [128, 12], -1, null],
  ["a pointer to itself", [0xc0, 12], -1, null],
  ["a pointer forward", [0xc0, 14, 1, 97, 0], -1, null],
  ["a pointer into the header", [0xc0, 0], -1, null],
  ["half a pointer", [0xc0], -1, null],
];

for (const [what, bytes, end, expected] of NAMES) {
  Deno.test(`names: ${what}`, () => {
    const whole = message(...bytes);
    assert.equal(endOfName(whole, 12), end);
    if (expected !== null) assert.equal(nameText(whole, 12), expected);
  });
}

Deno.test("names: pointers backwards, and loops of pointers", () => {
  //                          12       15          18            22
  const bytes = message(1, 97, 0, 1, 98, 0xc0, 12, 1, 99, 0xc0, 15, 0xc0, 19);
  assert.equal(endOfName(bytes, 15), 19);
  assert.equal(nameText(bytes, 15), "b.a");
  assert.equal(endOfName(bytes, 19), 23);
  assert.equal(nameText(bytes, 19), "c.b.a");
  assert.equal(endOfName(bytes, 23), 25);
  // Two names that point to each other: one of them points forward.
  assert.equal(endOfName(message(1, 97, 0xc0, 16, 1, 98, 0xc0, 12), 16), -1);
  // A pointer into its own name.
  assert.equal(endOfName(message(1, 97, 0xc0, 12), 12), -1);
});

Deno.test("names: the number of pointers in a name is limited", () => {
  const chain = [0];
  for (let i = 0; i < 100; i++) chain.push(0xc0, 12 + Math.max(0, chain.length - 2));
  const bytes = message(...chain);
  assert.equal(endOfName(bytes, 12 + 1 + 2 * 20), 12 + 1 + 2 * 21);
  assert.equal(endOfName(bytes, bytes.length - 2), -1);
});

Deno.test("names: any bytes are a valid name or refused, and a valid name can be read", () => {
  const bytes = fc.uint8Array({ maxLength: 80 });
  fc.assert(
    fc.property(bytes, fc.nat(80), (rest, at) => {
      const whole = message(...rest);
      const end = endOfName(whole, Math.min(at + 12, whole.length));
      if (end < 0) return;
      assert.ok(end <= whole.length);
      assert.ok(nameText(whole, at + 12).length <= 4 * 255);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("names: compressed names read as the library reads them", () => {
  const label = fc.stringMatching(/^[a-z0-9_-]{1,12}$/);
  const name = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join("."));
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 6 }), (names) => {
      const bytes = encode({ type: "query", id: 1, questions: names.map((each) => ({ type: "A", name: each })) });
      let at = 12;
      for (const { name: expected } of decode(bytes).questions) {
        const end = endOfName(bytes, at);
        assert.ok(end > 0);
        assert.equal(nameText(bytes, at), expected);
        at = end + 4;
      }
    }),
  );
});

Deno.test("names: a written name is read back, and an invalid name is refused", () => {
  const into = new Uint8Array(400);
  const written = (name: string) => putName(name, into, 12) < 0 ? null : nameText(into, 12);
  for (const name of ["a", "a.b", "www.example.com", "*.x_y", "a".repeat(63), ""]) assert.equal(written(name), name);
  assert.equal(written("a.b."), "a.b");
  assert.equal(written("A.b"), "a.b");
  for (
    const name of [
      ".",
      "a..b",
      ".a",
      "a".repeat(64),
      "a b",
      "ü",
      `${"a.".repeat(127)}aa`,
      "a\n",
      "a." + ".".repeat(300),
    ]
  ) {
    assert.equal(putName(name, into, 12), -1, name);
  }
  assert.equal(putName(`${"a.".repeat(126)}a`, into, 12), 12 + 255);
});

Deno.test("names: comparison ignores the case of letters and nothing else", () => {
  const a = Uint8Array.from(text("aBz@[`{"));
  assert.ok(sameFolded(a, Uint8Array.from(text("AbZ@[`{")), 0, a.length));
  assert.ok(!sameFolded(a, Uint8Array.from(text("aBz`[`{")), 0, a.length));
  assert.ok(!sameFolded(a, a.subarray(0, 3), 0, a.length));
});
