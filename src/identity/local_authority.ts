/** The authority of `FAKE_CA=true` (`docs/spec/config-admin.md`, environment): issues certificates in this process. */
import { generateKeyPairSync } from "node:crypto";
import {
  type CertificateAuthority,
  CertificateError,
  type CertificateSubject,
  type IssuedCertificate,
} from "./authority.ts";
import * as build from "./certificate_builder.ts";
import { KeyUsage } from "./certificate_extensions.ts";
import { checkIssued } from "./check_issued.ts";
import { type LocalCa, spkiOf } from "./local_ca.ts";
import { Oid } from "./oids.ts";
import type { SpiffeId } from "./spiffe_id.ts";
import { bundlesForAnyDomain, type TrustBundles } from "./trust_bundles.ts";

/** Settings of a local authority. Times in ms. */
interface LocalAuthorityOptions {
  readonly ca: LocalCa;
  /** The wall clock, since the epoch. */
  readonly now: () => number;
  /** Time from the issue to notAfter; default 24 h. */
  readonly lifetime?: number;
  /** Time from notBefore to the issue, for peers with a slow clock; default 10 s. */
  readonly backdate?: number;
}

const DAY = 24 * 3600 * 1000;

/** Issues a certificate for every id. Never connects to anything. */
export class LocalAuthority implements CertificateAuthority {
  readonly keyedBy = "identity";
  readonly #options: LocalAuthorityOptions;
  readonly #bundles: TrustBundles;
  #closed = false;

  constructor(options: LocalAuthorityOptions) {
    this.#options = options;
    this.#bundles = bundlesForAnyDomain([options.ca.certificate]);
  }

  // deno-lint-ignore require-await -- so that errors become rejections, as with remote authorities
  async fetch(subject: CertificateSubject, signal: AbortSignal): Promise<IssuedCertificate> {
    signal.throwIfAborted();
    if (this.#closed) throw new CertificateError("local authority is closed", "CLOSED");
    return this.#issue(subject.id);
  }

  bundles(): TrustBundles {
    return this.#bundles;
  }

  close(): void {
    this.#closed = true;
  }

  #issue(id: SpiffeId): IssuedCertificate {
    const { ca, now, lifetime = DAY, backdate = 10_000 } = this.#options;
    const issuedAt = now();
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const leaf = build.signCertificate({
      serial: build.randomSerial(),
      issuer: ca.name,
      subject: build.organizationName(null),
      notBefore: issuedAt - backdate,
      notAfter: issuedAt + lifetime,
      publicKey: spkiOf(privateKey),
      extensions: leafExtensions(id, spkiOf(privateKey), ca.keyId),
    }, ca.key);
    const key = new Uint8Array(privateKey.export({ format: "der", type: "pkcs8" }));
    return checkIssued(id, [leaf], key, this.#bundles, issuedAt);
  }
}

function leafExtensions(id: SpiffeId, publicKey: Uint8Array, issuerKeyId: Uint8Array): Uint8Array[] {
  return [
    build.keyUsage(KeyUsage.DIGITAL_SIGNATURE | KeyUsage.KEY_ENCIPHERMENT),
    build.extendedKeyUsage(Oid.SERVER_AUTH, Oid.CLIENT_AUTH),
    build.leafConstraints(),
    build.subjectKeyId(publicKey),
    build.authorityKeyId(issuerKeyId),
    build.uriAltNames(id),
  ];
}
