/**
 * Finds revocation lists without effect: a list in the name of another CA (a ConfigMap of another mesh, a CA whose name
 * was changed) revokes nothing, which would go unnoticed. Each such list is reported once, with the name of its
 * issuer.
 */
import type { IssuedCertificate } from "../identity/authority.ts";
import { isMalformed, parseCertificate } from "../identity/certificate.ts";
import type { RevocationList } from "../identity/crl.ts";
import type { WriteLine } from "../identity/manager_events.ts";
import { nameKey } from "../identity/name_match.ts";
import { nameText } from "../identity/name_text.ts";

/** Issuers that are remembered at most. No mesh has as many. */
const MAX_ISSUERS = 4096;

export class CrlCoverage {
  readonly #log: WriteLine;
  /** By `nameKey`: all anchors trusted so far, and the intermediates of our own certificates. */
  readonly #issuers = new Set<string>();
  /** Bundles already processed: the certificates of many workloads share them. */
  readonly #seen = new WeakSet<object>();
  #lists: readonly RevocationList[] = [];
  /** Issuers of the lists in force, by `nameKey`. */
  #told = new Set<string>();

  constructor(log: WriteLine) {
    this.#log = log;
  }

  /** Called when these lists come into force. */
  replace(lists: readonly RevocationList[]): void {
    this.#lists = lists;
    this.#told = new Set();
    this.#report();
  }

  /** Called when a workload of this node has got this certificate, with the bundles that it trusts. */
  learn({ chain, bundles }: IssuedCertificate): void {
    const before = this.#issuers.size;
    for (const der of chain.slice(1)) this.#add(der);
    if (!this.#seen.has(bundles)) {
      this.#seen.add(bundles);
      for (const der of bundles.anyTrustDomain) this.#add(der);
      for (const anchors of bundles.byTrustDomain.values()) for (const der of anchors) this.#add(der);
    }
    // A list is reported only once, so new anchors can change nothing unless they are the first.
    if (before === 0) this.#report();
  }

  #add(der: Uint8Array): void {
    const certificate = parseCertificate(der);
    const key = isMalformed(certificate) ? null : nameKey(certificate.subject);
    if (key !== null && this.#issuers.size < MAX_ISSUERS) this.#issuers.add(key);
  }

  /** Before the first certificate no CA is known, so nothing is reported. */
  #report(): void {
    if (this.#issuers.size === 0) return;
    for (const { issuer } of this.#lists) {
      const key = nameKey(issuer) ?? issuer.toHex();
      if (this.#issuers.has(key) || this.#told.has(key)) continue;
      this.#told.add(key);
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
