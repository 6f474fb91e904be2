import { strict as assert } from "node:assert";
import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import { decodePem, DUMP_COLUMNS, encodePem, isPemProblem, type PemBlock } from "./pem.ts";
import { makeCa } from "./testkit/certificates.ts";

function blocks(text: string): readonly PemBlock[] {
  const result = decodePem(text);
  assert.ok(!isPemProblem(result), isPemProblem(result) ? result.problem : "");
  return result;
}

Deno.test("PEM for the dump, identity T15, config C36: lines of 60", () => {
  const text = encodePem("CERTIFICATE", new Uint8Array(100), DUMP_COLUMNS);
  const lines = text.split("\n");
  assert.equal(lines[0], "-----BEGIN CERTIFICATE-----");
  assert.deepEqual(lines.slice(1, -2).map((line) => line.length), [60, 60, 16]);
  assert.equal(lines.at(-2), "-----END CERTIFICATE-----");
  assert.equal(lines.at(-1), "");
});

Deno.test("PEM: node:crypto decodes what was encoded", () => {
  const { certificate } = makeCa("root");
  for (const columns of [60, 64]) {
    const theirs = new X509Certificate(encodePem("CERTIFICATE", certificate, columns));
    assert.deepEqual(new Uint8Array(theirs.raw), certificate);
  }
});

Deno.test("PEM: several blocks, text around them, CRLF", () => {
  const text = "# roots\r\n-----BEGIN CERTIFICATE-----\r\nAQID\r\n-----END CERTIFICATE-----\r\n" +
    "between\n-----BEGIN X509 CRL-----\nBA==\n-----END X509 CRL-----";
  assert.deepEqual(blocks(text), [
    { label: "CERTIFICATE", der: Uint8Array.of(1, 2, 3) },
    { label: "X509 CRL", der: Uint8Array.of(4) },
  ]);
  assert.deepEqual(blocks("no block at all"), []);
});

const broken: readonly [what: string, text: string][] = [
  ["no end", "-----BEGIN CERTIFICATE-----\nAQID\n"],
  ["other end", "-----BEGIN CERTIFICATE-----\nAQID\n-----END X509 CRL-----\n"],
  ["no label", "-----BEGIN -----\nAQID\n-----END -----\n"],
  ["label over the line", "-----BEGIN CERT\nAQID-----\n-----END CERT\nAQID-----\n"],
  ["no base64", "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"],
  ["no padding", "-----BEGIN CERTIFICATE-----\nAQI\n-----END CERTIFICATE-----\n"],
  ["headers", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAQID\n-----END RSA PRIVATE KEY-----\n"],
  ["too many blocks", "-----BEGIN A-----\nAQID\n-----END A-----\n".repeat(10_001)],
  ["too long", " ".repeat(9 * 1024 * 1024)],
];

for (const [what, text] of broken) {
  Deno.test(`PEM refused: ${what}`, () => {
    const result = decodePem(text);
    assert.ok(isPemProblem(result));
    assert.ok(!result.problem.includes("AQI"));
  });
}

Deno.test("property: encoded PEM is decoded to the same blocks", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), fc.integer({ min: 1, max: 80 }), (all, columns) => {
      const text = all.map((der) => encodePem("CERTIFICATE", der, columns)).join("");
      assert.deepEqual(blocks(text).map((block) => block.der), all);
    }),
  );
});

Deno.test("property: decodePem never throws", () => {
  const piece = fc.constantFrom("-----", "BEGIN ", "END ", "A", "\n", "AQID", "-----BEGIN A-----", "-----END A-----");
  fc.assert(fc.property(fc.array(fc.oneof(piece, fc.string())), (pieces) => {
    assert.equal(typeof decodePem(pieces.join("")), "object");
  }));
});
