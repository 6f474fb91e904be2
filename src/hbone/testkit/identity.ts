/** For tests only: certificates of any number of authorities, issued at once. */
import type { IssuedCertificate } from "../../identity/authority.ts";
import { type Certificate, parseCertificate } from "../../identity/certificate.ts";
import { checkIssued } from "../../identity/check_issued.ts";
import { parseRevocationList, type RevocationList } from "../../identity/crl.ts";
import { parseSpiffeId, type SpiffeId } from "../../identity/spiffe_id.ts";
import {
  crlSigner,
  HOUR,
  type Issuer,
  makeCa,
  makeCrl,
  makeLeaf,
  newKey,
  NOW,
} from "../../identity/testkit/certificates.ts";
import { bundlesForAnyDomain, TrustStore } from "../../identity/trust_bundles.ts";
import { memoryTlsContext } from "../../net/testkit/memory_network.ts";
import type { TlsContext } from "../../net/tls_context.ts";
import type { Credential, CredentialEvents, Credentials } from "../credentials.ts";

export { NOW };

/** Parses a SPIFFE id. Throws where it is not one. */
export function spiffeId(text: string): SpiffeId {
  const id = parseSpiffeId(text);
  if (id === null) throw new Error(`not a SPIFFE id: ${text}`);
  return id;
}

/** A certificate authority. */
export class TestIssuer {
  readonly #ca: Issuer;
  /** Anchors handed out with each certificate. */
  anchors: readonly Uint8Array[];
  /** How long its certificates are valid from {@link NOW} on, in ms. */
  lifetime = 24 * HOUR;

  constructor(organization = "Root") {
    this.#ca = makeCa(organization, { extensions: crlSigner() });
    this.anchors = [this.#ca.certificate];
  }

  issue(id: SpiffeId, lifetime = this.lifetime): IssuedCertificate {
    const key = newKey();
    const leaf = makeLeaf(this.#ca, id, { key, notAfter: NOW + lifetime });
    const pkcs8 = new Uint8Array(key.export({ format: "der", type: "pkcs8" }));
    return checkIssued(id, [leaf], pkcs8, bundlesForAnyDomain(this.anchors), NOW);
  }

  /** A revocation list with the certificates `leafs`. */
  revoke(...leafs: readonly Uint8Array[]): RevocationList {
    const serials = leafs.map((leaf) => (parseCertificate(leaf) as Certificate).serial);
    return parseRevocationList(makeCrl(this.#ca, serials)) as RevocationList;
  }

  credential(id: SpiffeId): Credential {
    const issued = this.issue(id);
    const trust = new TrustStore(issued.bundles);
    return { id, trust, context: contextOf(issued), notAfter: issued.notAfter, watch: () => () => {} };
  }
}

/** A TLS context with this certificate that accepts every peer. */
export function contextOf(issued: IssuedCertificate): TlsContext {
  const { chain, key, bundles } = issued;
  return memoryTlsContext({ chain, key, anchors: bundles.anyTrustDomain, accept: () => null });
}

/** Provides a credential at once, or when the test calls {@link deliver}. */
export class TestCredentials implements Credentials {
  readonly waiting = new Set<CredentialEvents>();
  /** The credential that {@link get} provides at once. Null: it waits for {@link deliver} or {@link refuse}. */
  ready: Credential | null;

  constructor(ready: Credential | null) {
    this.ready = ready;
  }

  get(_id: SpiffeId, events: CredentialEvents): () => void {
    if (this.ready === null) this.waiting.add(events);
    else events.onCredential(this.ready);
    return () => this.waiting.delete(events);
  }

  deliver(credential: Credential): void {
    for (const events of this.#take()) events.onCredential(credential);
  }

  refuse(message: string): void {
    for (const events of this.#take()) events.onCredentialFailure(message);
  }

  #take(): CredentialEvents[] {
    const waiting = [...this.waiting];
    this.waiting.clear();
    return waiting;
  }
}
