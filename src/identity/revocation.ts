/**
 * Whether a certificate on a verified path has been revoked, for handshakes and for connections that are open
 * (`docs/spec/identity-spire.md` 6.6, 6.7). One per isolate; off until the first lists arrive.
 *
 * An issuer that no list names has revoked nothing. A list in an issuer's name that the issuer did not sign, or must
 * not sign, makes everything under it unusable (S34): otherwise a forged list would switch the check off.
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

/** The side that reports: inbound connections are seen by the destination's proxy. */
export type Reporter = "source" | "destination";

/** Told of each connection that was refused or ended because of a list, and of each that could not be watched. */
export interface RevocationEvents {
  rejected(reporter: Reporter): void;
  untracked(reporter: Reporter): void;
}

/** A certificate of a path by what identifies it to its issuer. */
interface Link {
  readonly serial: Uint8Array;
  readonly issuer: Issuer;
}

interface Issuer {
  /** Names it by subject and key. */
  readonly key: string;
  readonly subject: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly keyUsage: number | null;
}

/** What an issuer's lists say, once they have been judged. */
type Judgement = readonly RevocationList[] | CodedRefusal;

interface Watched {
  readonly links: readonly Link[];
  readonly reporter: Reporter;
  readonly onRevoked: () => void;
}

/** Connections looked at in one turn of the loop, a microsecond each. */
const PER_TURN = 500;
const CHAINS = 4096;
const ISSUERS = 256;

export class Revocation {
  readonly #scheduler: Scheduler;
  readonly #events: RevocationEvents;
  /** Null: off. */
  #lists: readonly RevocationList[] | null = null;
  readonly #links = new ChainCache<readonly Link[]>(CHAINS);
  readonly #issuers = new ChainCache<Issuer>(ISSUERS);
  /** By {@link Issuer.key}, for the lists at hand. */
  #judgements = new ChainCache<Judgement>(ISSUERS);
  /** Emptied by those who watch. */
  readonly #watched = new Set<Watched>();

  constructor(scheduler: Scheduler, events: RevocationEvents) {
    this.#scheduler = scheduler;
    this.#events = events;
  }

  /** Connections that end when they are revoked. */
  get watched(): number {
    return this.#watched.size;
  }

  /** `chain`: DER, verified, leaf first, anchor last. `role`: the peer's. Null: nothing is known against it. */
  check(chain: readonly Uint8Array[], role: PeerRole): CodedRefusal | null {
    if (this.#lists === null || this.#lists.length === 0) return null;
    const refusal = this.#judge(this.#linksOf(chain) ?? []);
    if (refusal !== null) this.#events.rejected(reporterOf(role));
    return refusal;
  }

  /**
   * For a connection that stands: `onRevoked` is called once, never from inside this call, when a certificate of its
   * path is revoked. Call the result when the connection has ended.
   */
  watch(chain: readonly Uint8Array[], role: PeerRole, onRevoked: () => void): () => void {
    if (this.#lists === null) return () => {};
    const links = this.#linksOf(chain), reporter = reporterOf(role);
    if (links === null) {
      this.#events.untracked(reporter);
      return () => {};
    }
    const watched: Watched = { links, reporter, onRevoked };
    this.#watched.add(watched);
    // Lists may have come between the handshake's check and now.
    if (this.#judge(watched.links) !== null) this.#scheduler.nextTurn({ runTurn: () => this.#end(watched) });
    return () => void this.#watched.delete(watched);
  }

  /** From now on these count; open connections are asked about, some in each turn. */
  replace(lists: readonly RevocationList[]): void {
    this.#lists = lists;
    this.#judgements = new ChainCache<Judgement>(ISSUERS);
    if (lists.length === 0) return;
    const waiting = this.#watched.values();
    const goOn = () => {
      if (this.#lists !== lists) return;
      for (let left = PER_TURN; left > 0; left--) {
        const next = waiting.next();
        if (next.done) return;
        if (this.#judge(next.value.links) !== null) this.#end(next.value);
      }
      this.#scheduler.nextTurn({ runTurn: goOn });
    };
    goOn();
  }

  #end(watched: Watched): void {
    if (!this.#watched.delete(watched)) return;
    this.#events.rejected(watched.reporter);
    watched.onRevoked();
  }

  #judge(links: readonly Link[]): CodedRefusal | null {
    for (const { serial, issuer } of links) {
      const lists = this.#listsOf(issuer);
      if ("code" in lists) return lists;
      if (!lists.some(({ serials }) => hasSerial(serials, serial))) continue;
      const text = `certificate ${serialDecimal(serial)} was revoked by its issuer (${nameText(issuer.subject)})`;
      return refuse("REVOKED", text);
    }
    return null;
  }

  #listsOf(issuer: Issuer): Judgement {
    const known = this.#judgements.get(issuer.key);
    if (known !== undefined) return known;
    const judgement = judgeLists(issuer, this.#lists ?? []);
    this.#judgements.set(issuer.key, judgement);
    return judgement;
  }

  /** Null where the path cannot be read, which no verified one is. */
  #linksOf(chain: readonly Uint8Array[]): readonly Link[] | null {
    const key = chainKey(chain, "");
    const known = this.#links.get(key);
    if (known !== undefined) return known;
    const path: Certificate[] = [];
    for (const der of chain) {
      const certificate = parseCertificate(der);
      if (isMalformed(certificate)) return null;
      path.push(certificate);
    }
    const links = path.slice(0, -1).map(({ serial }, depth) => ({
      serial: serial.slice(),
      issuer: this.#issuerOf(path[depth + 1]!),
    }));
    this.#links.set(key, links);
    return links;
  }

  /** One object for all paths, so that a path costs little. */
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

/** Its own lists, or why they cannot be used. Two authorities may have one name: then the key decides. */
function judgeLists(issuer: Issuer, lists: readonly RevocationList[]): Judgement {
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
