/** Tests that every certificate authority must pass. The test file of an implementation registers them once. */
import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { type CertificateAuthority, CertificateError, type CertificateSubject } from "../authority.ts";
import { isMalformed, parseCertificate, serialDecimal } from "../certificate.ts";
import { isRefusal } from "../peer_chain.ts";
import { TrustStore } from "../trust_bundles.ts";
import { verifyPeer } from "../verify_peer.ts";

/** An authority under test. */
export interface AuthorityBench {
  readonly authority: CertificateAuthority;
  /** Two subjects with different ids for which it issues certificates. */
  readonly subjects: readonly [CertificateSubject, CertificateSubject];
  /** A subject for which it refuses to issue; null: it issues for every subject. */
  readonly refused: CertificateSubject | null;
  /** The clock of the authority, in ms since the epoch. */
  now(): number;
  /** Stops the rest after the authority was closed. */
  tearDown(): Promise<void>;
}

/** Registers the tests. `register`: instead of `Deno.test`, for tests that need other programs. */
export function certificateAuthorityContract(
  name: string,
  setUp: () => Promise<AuthorityBench>,
  register: (name: string, fn: () => Promise<void>) => void = Deno.test,
): void {
  const test = (what: string, run: (bench: AuthorityBench) => Promise<void>) =>
    register(`${name}: ${what}`, async () => {
      const bench = await setUp();
      try {
        await run(bench);
      } finally {
        bench.authority.close();
        await bench.tearDown();
      }
    });
  const signal = new AbortController().signal;

  test("issues for the requested subject, identity S13", async ({ authority, subjects, now }) => {
    for (const subject of subjects) {
      const issued = await authority.fetch(subject, signal);
      const leaf = parseCertificate(issued.chain[0]!);
      assert.ok(!isMalformed(leaf));
      assert.equal(issued.id, subject.id);
      assert.deepEqual(leaf.uris, [subject.id]);
      assert.equal(issued.serial, serialDecimal(leaf.serial));
      assert.equal(issued.notBefore, leaf.notBefore);
      assert.equal(issued.notAfter, leaf.notAfter);
      assert.ok(issued.notBefore <= now() && now() < issued.notAfter);
    }
  });

  test("the key belongs to the certificate, identity S14", async ({ authority, subjects }) => {
    const issued = await authority.fetch(subjects[0], signal);
    const key = createPrivateKey({ key: Buffer.from(issued.key), format: "der", type: "pkcs8" });
    assert.ok(new X509Certificate(issued.chain[0]!).checkPrivateKey(key));
  });

  test("the chain leads to an anchor of its bundles and holds neither anchors nor duplicates", async (bench) => {
    const issued = await bench.authority.fetch(bench.subjects[0], signal);
    const anchors = new TrustStore(issued.bundles).anchors.map((der) => new X509Certificate(der));
    const chain = issued.chain.map((der) => new X509Certificate(der));
    for (const [depth, certificate] of chain.entries()) {
      const issuers = depth + 1 < chain.length ? [chain[depth + 1]!] : anchors;
      assert.ok(issuers.some((issuer) => certificate.verify(issuer.publicKey)), `depth ${depth}`);
      assert.ok(!anchors.some((anchor) => anchor.fingerprint256 === certificate.fingerprint256));
    }
    assert.equal(new Set(chain.map((certificate) => certificate.fingerprint256)).size, chain.length);
  });

  test("peers accept it in both roles", async ({ authority, subjects, now }) => {
    const issued = await authority.fetch(subjects[0], signal);
    const store = new TrustStore(issued.bundles);
    const last = new X509Certificate(issued.chain.at(-1)!);
    const anchor = store.anchors.find((der) => last.verify(new X509Certificate(der).publicKey));
    for (const role of ["client", "server"] as const) {
      const expected = { kind: "any-of", ids: [subjects[0].id] } as const;
      const verdict = verifyPeer([...issued.chain, anchor!], role, store, expected, now());
      assert.ok(!isRefusal(verdict), isRefusal(verdict) ? verdict.message : "");
    }
  });

  test("certificates and bundles can be sent to other threads", async ({ authority, subjects }) => {
    const issued = await authority.fetch(subjects[0], signal);
    assert.deepEqual(structuredClone(issued), issued);
    assert.ok(new TrustStore(structuredClone(authority.bundles())).anchors.length > 0);
  });

  test("an aborted fetch rejects with the reason", async ({ authority, subjects }) => {
    const reason = new Error("no longer needed");
    await assert.rejects(authority.fetch(subjects[0], AbortSignal.abort(reason)), (error) => error === reason);
  });

  test("refuses a subject without a certificate with a CertificateError", async ({ authority, refused }) => {
    if (refused === null) return;
    await assert.rejects(authority.fetch(refused, signal), CertificateError);
  });

  test("nothing is issued after close, and close is idempotent", async ({ authority, subjects }) => {
    authority.close();
    authority.close();
    await assert.rejects(authority.fetch(subjects[0], signal), CertificateError);
  });
}
