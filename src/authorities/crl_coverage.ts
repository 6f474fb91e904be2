/**
 * Detects revocation lists without effect. A list of a CA that is not trusted here (a ConfigMap of another mesh, a CA
 * with a changed name) revokes nothing. Each such list is logged once with the name of its issuer.
 */
import type { IssuedCertificate } from "../identity/authority.ts";
import { isMalformed, parseCertificate } from "../identity/certificate.ts";
import type { RevocationList } from "../identity/crl.ts";
import type { WriteLine } from "../identity/manager_events.ts";
import { nameKey } from "../identity/name_match.ts";
import { nameText } from "../identity/name_text.ts";

/** The limit of stored issuers, which no mesh reaches. */
const MAX_ISSUERS = 4096;

/** Compares the issuers of revocation lists with the trusted CAs. */
export class CrlCoverage {
  readonly #log: WriteLine;
  /** The names (`nameKey`) of all anchors so far, and of the intermediates of certificates issued to this node. */
  readonly #issuers = new Set<string>();
  /** Processed bundles, as the certificates of many workloads share them. */
  readonly #seen = new WeakSet<object>();
  #lists: readonly RevocationList[] = [];
  /** Issuers of current lists that were logged, by `nameKey`. */
  #reported = new Set<string>();

  constructor(log: WriteLine) {
    this.#log = log;
  }

  /** Replaces the lists. */
  replace(lists: readonly RevocationList[]): void {
    this.#lists = lists;
    this.#reported = new Set();
    this.#report();
  }

  /** Adds the CAs of a certificate that a workload of this node has received, and of its bundles. */
  addCertificate({ chain, bundles }: IssuedCertificate): void {
    const before = this.#issuers.size;
    for (const der of chain.slice(1)) this.#add(der);
    if (!this.#seen.has(bundles)) {
      this.#seen.add(bundles);
      for (const der of bundles.anyTrustDomain) this.#add(der);
      for (const anchors of bundles.byTrustDomain.values()) for (const der of anchors) this.#add(der);
    }
    // Each list is checked once: when it is replaced, or when the first CA is known.
    if (before === 0) this.#report();
  }

  #add(der: Uint8Array): void {
    const certificate = parseCertificate(der);
    const key = isMalformed(certificate) ? null : nameKey(certificate.subject);
    if (key !== null && this.#issuers.size < MAX_ISSUERS) this.#issuers.add(key);
  }

  /** Does nothing before the first certificate, as no CA is known. */
  #report(): void {
    if (this.#issuers.size === 0) return;
    for (const { issuer } of this.#lists) {
      const key = nameKey(issuer) ?? issuer.toHex();
      if (this.#issuers.has(key) || this.#reported.has(key)) continue;
      this.#reported.add(key);
      const name = nameText(issuer);
      this.#log(
        "warn",
        `no CA that is trusted here has the name of this revocation list, which revokes nothing of theirs`,
        {
          issuer: name,
        },
      );
    }
  }
}
