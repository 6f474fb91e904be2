/**
 * Checks during handshakes, and later for open connections, whether a certificate of a verified path has been revoked
 * (`docs/spec/identity-spire.md` 6.6, 6.7). There is one object per isolate; it checks nothing until lists arrive.
 *
 * An issuer without a list has revoked nothing. If a list has an issuer's name but not its signature, or the issuer may
 * not sign lists, all certificates of that issuer are refused (S34): otherwise a forged list would disable the check.
 */
import type { Scheduler } from "../net/network.ts";
import { type Certificate, isMalformed, parseCertificate, serialDecimal } from "./certificate.ts";
import { KeyUsage } from "./certificate_extensions.ts";
import { ChainCache, chainKey } from "./chain_cache.ts";
import type { RevocationList } from "./crl.ts";
import { sameName } from "./name_match.ts";
import { nameText } from "./name_text.ts";
import { type CodedRefusal, type PeerRole, refuse } from "./peer_chain.ts";
import { hasSerial } from "./serial_set.ts";
import { isSigned } from "./signature.ts";
import { anchorKey } from "./trust_bundles.ts";

/** The side on which this proxy is: "destination" for inbound connections. */
export type Reporter = "source" | "destination";

/** Receives events about connections, for metrics. */
interface RevocationEvents {
  /** A connection was refused or closed because of a list. */
  rejected(reporter: Reporter): void;
  /** An open connection cannot be checked against later lists. */
  untracked(reporter: Reporter): void;
}

/** A certificate of a path, other than the anchor. */
interface PathCertificate {
  readonly serial: Uint8Array;
  readonly issuer: Issuer;
}

interface Issuer {
  /** Made of subject, public key and key usage. */
  readonly key: string;
  readonly subject: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly keyUsage: number | null;
}

/** The lists of an issuer with a valid signature, or why they cannot be used. */
type IssuerLists = readonly RevocationList[] | CodedRefusal;

/** An open connection that is closed when a certificate of its path is revoked. */
interface WatchedConnection {
  readonly certificates: readonly PathCertificate[];
  readonly reporter: Reporter;
  readonly onRevoked: () => void;
}

/** How many open connections are checked in one turn of the loop; each check takes about a microsecond. */
const PER_TURN = 500;
/** Limits of the caches. */
const CHAINS = 4096;
const ISSUERS = 256;

/** The current revocation lists and the open connections that they may close. */
export class Revocation {
  readonly #scheduler: Scheduler;
  readonly #events: RevocationEvents;
  /** Null: no lists have arrived. */
  #lists: readonly RevocationList[] | null = null;
  readonly #certificates = new ChainCache<readonly PathCertificate[]>(CHAINS);
  readonly #issuers = new ChainCache<Issuer>(ISSUERS);
  /** By {@link Issuer.key}, for the current lists. */
  #listsByIssuer = new ChainCache<IssuerLists>(ISSUERS);
  /** Callers of `watch` remove their connections when these end. */
  readonly #watched = new Set<WatchedConnection>();

  constructor(scheduler: Scheduler, events: RevocationEvents) {
    this.#scheduler = scheduler;
    this.#events = events;
  }

  /** The number of open connections that are watched. */
  get watched(): number {
    return this.#watched.size;
  }

  /**
   * Checks a path during the handshake; null: it may be used. `chain`: DER, verified, leaf first, anchor last. `role`: of
   * the peer.
   */
  check(chain: readonly Uint8Array[], role: PeerRole): CodedRefusal | null {
    if (this.#lists === null || this.#lists.length === 0) return null;
    const refusal = this.#refusalFor(this.#certificatesOf(chain) ?? []);
    if (refusal !== null) this.#events.rejected(reporterOf(role));
    return refusal;
  }

  /**
   * Watches an open connection: `onRevoked` is called at most once, never during this call, when a certificate of its
   * path is revoked. The caller calls the returned function when the connection has ended.
   */
  watch(chain: readonly Uint8Array[], role: PeerRole, onRevoked: () => void): () => void {
    if (this.#lists === null) return () => {};
    const certificates = this.#certificatesOf(chain), reporter = reporterOf(role);
    if (certificates === null) {
      this.#events.untracked(reporter);
      return () => {};
    }
    const watched: WatchedConnection = { certificates, reporter, onRevoked };
    this.#watched.add(watched);
    // Lists may have arrived since the check in the handshake.
    if (this.#refusalFor(watched.certificates) !== null) {
      this.#scheduler.nextTurn({ runTurn: () => this.#end(watched) });
    }
    return () => void this.#watched.delete(watched);
  }

  /** Replaces the lists and checks all open connections against them, {@link PER_TURN} in each turn. */
  replace(lists: readonly RevocationList[]): void {
    this.#lists = lists;
    this.#listsByIssuer = new ChainCache<IssuerLists>(ISSUERS);
    if (lists.length === 0) return;
    const unchecked = this.#watched.values();
    const checkSome = () => {
      if (this.#lists !== lists) return;
      for (let left = PER_TURN; left > 0; left--) {
        const next = unchecked.next();
        if (next.done) return;
        if (this.#refusalFor(next.value.certificates) !== null) this.#end(next.value);
      }
      this.#scheduler.nextTurn({ runTurn: checkSome });
    };
    checkSome();
  }

  #end(watched: WatchedConnection): void {
    if (!this.#watched.delete(watched)) return;
    this.#events.rejected(watched.reporter);
    watched.onRevoked();
  }

  #refusalFor(certificates: readonly PathCertificate[]): CodedRefusal | null {
    for (const { serial, issuer } of certificates) {
      const lists = this.#listsOf(issuer);
      if ("code" in lists) return lists;
      if (!lists.some(({ serials }) => hasSerial(serials, serial))) continue;
      const text = `certificate ${serialDecimal(serial)} was revoked by its issuer (${nameText(issuer.subject)})`;
      return refuse("REVOKED", text);
    }
    return null;
  }

  #listsOf(issuer: Issuer): IssuerLists {
    const known = this.#listsByIssuer.get(issuer.key);
    if (known !== undefined) return known;
    const lists = verifiedLists(issuer, this.#lists ?? []);
    this.#listsByIssuer.set(issuer.key, lists);
    return lists;
  }

  /** Returns null for a path that cannot be parsed, which does not happen for a verified one. */
  #certificatesOf(chain: readonly Uint8Array[]): readonly PathCertificate[] | null {
    const key = chainKey(chain, "");
    const known = this.#certificates.get(key);
    if (known !== undefined) return known;
    const path: Certificate[] = [];
    for (const der of chain) {
      const certificate = parseCertificate(der);
      if (isMalformed(certificate)) return null;
      path.push(certificate);
    }
    const certificates = path.slice(0, -1).map(({ serial }, depth) => ({
      serial: serial.slice(),
      issuer: this.#issuerOf(path[depth + 1]!),
    }));
    this.#certificates.set(key, certificates);
    return certificates;
  }

  /** Returns a shared object, so that the cache of paths stays small. */
  #issuerOf(certificate: Certificate): Issuer {
    const { subject, publicKey, keyUsage } = certificate;
    const key = `${anchorKey(certificate)} ${keyUsage}`;
    const known = this.#issuers.get(key);
    if (known !== undefined) return known;
    const issuer = { key, subject: subject.slice(), publicKey: publicKey.slice(), keyUsage };
    this.#issuers.set(key, issuer);
    return issuer;
  }
}

/** Returns the lists that the issuer has signed. Two authorities may have the same name: then the key decides. */
function verifiedLists(issuer: Issuer, lists: readonly RevocationList[]): IssuerLists {
  const named = lists.filter((list) => sameName(list.issuer, issuer.subject));
  if (named.length === 0) return named;
  const name = nameText(issuer.subject);
  if (issuer.keyUsage !== null && !(issuer.keyUsage & KeyUsage.CRL_SIGN)) {
    return refuse("CRL_NOT_USABLE", `there is a CRL of ${name}, whose key usage does not allow signing CRLs`);
  }
  const own = named.filter((list) => isSigned(list.signed, list.algorithm, list.signature, issuer.publicKey));
  return own.length > 0 ? own : refuse("CRL_NOT_USABLE", `the CRL of ${name} is not signed by it`);
}

function reporterOf(role: PeerRole): Reporter {
  return role === "client" ? "destination" : "source";
}
