/**
 * Revocation lists that concern nobody who is trusted here: a list in the name of another CA (a ConfigMap of another
 * mesh, a CA whose name was changed) revokes nothing, which nobody would notice. Each such list is told of once, by the
 * name of its issuer.
 */
import type { IssuedCertificate } from "../identity/authority.ts";
import { isMalformed, parseCertificate } from "../identity/certificate.ts";
import type { RevocationList } from "../identity/crl.ts";
import type { WriteLine } from "../identity/manager_events.ts";
import { nameKey } from "../identity/name_match.ts";
import { nameText } from "../identity/name_text.ts";

/** Issuers that are remembered. No mesh has as many. */
const MAX_ISSUERS = 4096;

export class CrlCoverage {
  readonly #log: WriteLine;
  /** By `nameKey`: the anchors that were trusted so far, and the intermediates of our own certificates. */
  readonly #issuers = new Set<string>();
  /** Bundles that were looked at already: the certificates of many workloads share them. */
  readonly #seen = new WeakSet<object>();
  #lists: readonly RevocationList[] = [];
  /** By `nameKey`, of these lists. */
  #told = new Set<string>();

  constructor(log: WriteLine) {
    this.#log = log;
  }

  /** From now on these lists are in force. */
  replace(lists: readonly RevocationList[]): void {
    this.#lists = lists;
    this.#told = new Set();
    this.#report();
  }

  /** A workload of this node has this certificate, and trusts its bundles. */
  learn({ chain, bundles }: IssuedCertificate): void {
    const before = this.#issuers.size;
    for (const der of chain.slice(1)) this.#add(der);
    if (!this.#seen.has(bundles)) {
      this.#seen.add(bundles);
      for (const der of bundles.anyTrustDomain) this.#add(der);
      for (const anchors of bundles.byTrustDomain.values()) for (const der of anchors) this.#add(der);
    }
    // A list that was told of is not told of again, so nothing is to be said unless these are the first.
    if (before === 0) this.#report();
  }

  #add(der: Uint8Array): void {
    const certificate = parseCertificate(der);
    const key = isMalformed(certificate) ? null : nameKey(certificate.subject);
    if (key !== null && this.#issuers.size < MAX_ISSUERS) this.#issuers.add(key);
  }

  /** Nothing is known before the first certificate, so nothing is said. */
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
