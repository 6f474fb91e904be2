/** Our records of TLS 1.3 beside those of OpenSSL, which gets the same bytes with the same keys (`testkit/tls_oracle.ts`). */
import { strict as assert } from "node:assert";
import * as fc from "../../testkit/repeatable.ts";
import { Alert } from "../../src/net/tls_alerts.ts";
import { TlsOracle } from "../../testkit/tls_oracle.ts";

const oracle = new TlsOracle();

/** A step of a program: see `makeRecords`. */
const step = (
  kind: number,
  content: readonly number[],
  padding = 0,
) => [padding << 3 | kind, content.length, ...content];
const DATA = 0, LARGE = 2, HANDSHAKE = 3, ALERT = 4, ANY = 5, RAW = 6, UPDATE = 7;

/** `alert`: of OpenSSL, where it has chosen another one. */
type Case = readonly [what: string, program: readonly number[], end: "open" | "closed" | "failed", alert?: number];

const cases: readonly Case[] = [
  [
    "data and padding",
    [...step(DATA, [1, 2, 3]), ...step(DATA, [4], 31), ...step(DATA, []), ...step(LARGE, [8])],
    "open",
  ],
  ["key updates", [...step(UPDATE, [0]), ...step(DATA, [1]), ...step(UPDATE, [1]), ...step(DATA, [2])], "open"],
  ["close_notify and data behind it", [...step(DATA, [1]), ...step(ALERT, [1, 0]), ...step(DATA, [2])], "closed"],
  ["user_canceled", [...step(ALERT, [1, 90]), ...step(DATA, [1])], "open"],
  ["a fatal alert", [...step(DATA, [1]), ...step(ALERT, [2, 40]), ...step(DATA, [2])], "failed"],
  ["a warning", [...step(ALERT, [1, 40]), ...step(DATA, [2])], "failed"],
  ["an alert of three bytes", step(ALERT, [1, 90, 0]), "failed", Alert.UNEXPECTED_MESSAGE],
  ["an empty handshake record", step(HANDSHAKE, []), "failed"],
  ["a key update with a wrong value", step(HANDSHAKE, [24, 0, 0, 1, 2]), "failed"],
  ["a key update that is too long", step(HANDSHAKE, [24, 0, 0, 2, 0, 0]), "failed", Alert.ILLEGAL_PARAMETER],
  ["two key updates in a record", step(HANDSHAKE, [24, 0, 0, 1, 0, 24, 0, 0, 1, 0]), "failed"],
  ["data within a message", [...step(HANDSHAKE, [24, 0]), ...step(DATA, [1])], "failed"],
  ["another handshake", step(HANDSHAKE, [1, 0, 0, 2, 3, 3]), "failed"],
  ["the content type change_cipher_spec", step(ANY, [20, 1]), "failed"],
  ["an unknown content type", step(ANY, [99, 1]), "failed"],
  ["no content type", step(ANY, [0, 0, 0]), "failed"],
  ["an alert in the clear", step(RAW, [21, 3, 3, 0, 2, 2, 40]), "failed"],
  ["a record that is not authentic", step(RAW, [23, 3, 3, 0, 20, ...Array(20).fill(7)]), "failed"],
  ["a record of another version", step(RAW, [23, 3, 1, 0, 20, ...Array(20).fill(7)]), "failed"],
  ["a record without room for a tag", step(RAW, [23, 3, 3, 0, 3, 1, 2, 3]), "failed"],
  ["a record that is too long", step(RAW, [23, 3, 3, 0x41, 1, 0, 0]), "failed"],
  ["too much data", [...step(DATA, [1]), ...step(LARGE, Array(9).fill(0))], "failed"],
  ["half a record", step(RAW, [23, 3, 3, 0, 50, 1, 2]), "open"],
];
for (const role of ["client", "server"] as const) {
  for (const [what, program, end, alert] of cases) {
    Deno.test(`TLS records of a ${role}: we read ${what} as OpenSSL does, and send an alert where it does`, () => {
      const { ours, openssl } = oracle.compare(Uint8Array.from(program), role, 1000);
      assert.equal(ours.end, end);
      assert.deepEqual({ ...ours, alert: alert ?? ours.alert }, openssl);
    });
  }
}

/** What OpenSSL, or a version of it, takes, and we do not. */
const strict: readonly [what: string, program: readonly number[], alert: number][] = [
  [
    "padding beyond 2^14 + 1 bytes (RFC 8446 §5.4)",
    [...step(DATA, [1]), ...step(LARGE, Array(8).fill(0), 1)],
    Alert.RECORD_OVERFLOW,
  ],
  [
    "change_cipher_spec after the handshake (RFC 8446 §5)",
    [...step(DATA, [1]), ...step(RAW, [20, 3, 3, 0, 1, 1])],
    Alert.UNEXPECTED_MESSAGE,
  ],
];
for (const [what, program, alert] of strict) {
  Deno.test(`TLS records: we refuse ${what}`, () => {
    const { ours } = oracle.compare(Uint8Array.from(program), "client", 1000);
    assert.deepEqual(ours, { data: Uint8Array.of(1), end: "failed", alert });
  });
}

Deno.test("TLS records: a ticket of the server is skipped", () => {
  const ticket = [4, 0, 0, 19, 0, 0, 1, 0, 1, 2, 3, 4, 1, 7, 0, 5, 1, 2, 3, 4, 5, 0, 0];
  const { ours, openssl } = oracle.compare(
    Uint8Array.from([...step(HANDSHAKE, ticket), ...step(DATA, [5])]),
    "server",
    7,
  );
  assert.deepEqual(ours, openssl);
  assert.deepEqual(ours.data, Uint8Array.of(5));
});

Deno.test("TLS records: whatever a peer sends, we and OpenSSL return the same data and end in the same way", () => {
  const content = fc.array(fc.nat(255), { maxLength: 12 });
  const valid = fc.oneof(
    content.map((bytes) => step(DATA, bytes)),
    fc.tuple(content, fc.nat(31)).map(([bytes, padding]) => step(DATA, bytes, padding)),
    content.map((bytes) => step(LARGE, bytes.slice(0, 8))),
    fc.nat(1).map((request) => step(UPDATE, Array(request).fill(0))),
  );
  const other = fc.oneof(
    fc.constantFrom([1, 0], [1, 90], [2, 20], [1]).map((bytes) => step(ALERT, bytes)),
    // OpenSSL also reads what is in a ticket.
    content.map((bytes) => step(HANDSHAKE, bytes[0] === 4 ? [5, ...bytes.slice(1)] : bytes)),
    fc.constantFrom([24], [24, 0, 0], [24, 0, 0, 1, 0]).map((bytes) => step(HANDSHAKE, bytes)),
    content.map((bytes) => step(ANY, bytes)),
    content.map((bytes) => step(RAW, [23, 3, 3, ...bytes])),
  );
  const program = fc.array(fc.oneof({ weight: 4, arbitrary: valid }, { weight: 1, arbitrary: other }), {
    maxLength: 8,
  });
  fc.assert(
    fc.property(program, fc.constantFrom("client" as const, "server" as const), fc.integer({ min: 1, max: 30_000 }), (
      steps,
      role,
      piece,
    ) => {
      const { ours, openssl } = oracle.compare(Uint8Array.from(steps.flat()), role, piece);
      assert.deepEqual({ ...ours, data: ours.data.toHex(), alert: 0 }, {
        ...openssl,
        data: openssl.data.toHex(),
        alert: 0,
      });
    }),
    { numRuns: 200 },
  );
});
