import { strict as assert } from "node:assert";
import type { IssuedCertificate } from "../identity/authority.ts";
import { isMalformedFile, parseCrlFile } from "../identity/crl_file.ts";
import type { RevocationList } from "../identity/crl.ts";
import { makeCa, makeCrl } from "../identity/testkit/certificates.ts";
import { bundlesForAnyDomain } from "../identity/trust_bundles.ts";
import { CrlCoverage } from "./crl_coverage.ts";

const ours = makeCa("ours"), other = makeCa("other");

function listOf(issuer = ours): RevocationList {
  const lists = parseCrlFile(makeCrl(issuer, []));
  assert.ok(!isMalformedFile(lists));
  return lists[0]!;
}

function issued(anchors: readonly Uint8Array[], intermediates: readonly Uint8Array[] = []): IssuedCertificate {
  const chain = [ours.certificate, ...intermediates];
  return { chain, bundles: bundlesForAnyDomain(anchors) } as unknown as IssuedCertificate;
}

function bench() {
  const lines: string[] = [];
  const coverage = new CrlCoverage((level, text, fields) => lines.push(`${level} ${text} ${JSON.stringify(fields)}`));
  return { lines, coverage };
}

Deno.test("CRL coverage: a list of a CA that is not trusted here is reported by name, once", () => {
  const { lines, coverage } = bench();
  coverage.replace([listOf(ours), listOf(other)]);
  assert.deepEqual(lines, [], "no trusted CA is known yet");
  coverage.addCertificate(issued([ours.certificate]));
  coverage.addCertificate(issued([ours.certificate]));
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /^warn no CA that is trusted here has the name of this revocation list.*"issuer":"O=other"/);
  coverage.replace([listOf(other)]);
  assert.equal(lines.length, 2, "the file has changed and is still wrong");
});

Deno.test("CRL coverage: lists of anchors and of own intermediates are not reported", () => {
  const { lines, coverage } = bench();
  coverage.addCertificate(issued([ours.certificate], [other.certificate]));
  coverage.replace([listOf(ours), listOf(other)]);
  assert.deepEqual(lines, []);
});
