/** What the tests ask of `oracle.ts`, and what it answers. Bytes are base64, serial numbers hexadecimal, times ms. */

/** What a certificate says. */
export interface CertificateContent {
  readonly serial: string;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  readonly basicConstraints: { readonly ca: boolean; readonly pathLength: number | null } | null;
  /** Sum of the bits of RFC 5280 §4.2.1.3; `digitalSignature` is 1. */
  readonly keyUsage: number | null;
  /** Dotted OIDs. */
  readonly extendedKeyUsage: readonly string[] | null;
}

export interface CertificateFacts extends CertificateContent {
  /** SubjectPublicKeyInfo. */
  readonly publicKey: string;
  /** By the issuer that was named. */
  readonly signed: boolean;
}

export interface CertificateWish extends CertificateContent {
  readonly subject: string;
  /** Whether extensions are marked as critical, where that is allowed. */
  readonly critical: boolean;
}

export interface ListWish {
  readonly serials: readonly string[];
  readonly nextUpdate: number | null;
}

export interface Questions {
  readonly certificates: readonly { readonly der: string; readonly issuer: string }[];
  /** Certificate signing requests. */
  readonly requests: readonly string[];
  /** Revocation lists. */
  readonly lists: readonly string[];
  readonly makeCertificates: readonly CertificateWish[];
  readonly makeLists: readonly ListWish[];
}

/** In the order of the questions. */
export interface Answers {
  readonly certificates: readonly CertificateFacts[];
  readonly requests: readonly {
    readonly subject: string;
    readonly publicKey: string;
    /** Of the alternative names. */
    readonly critical: boolean;
    readonly uris: readonly string[];
    readonly signed: boolean;
  }[];
  readonly lists: readonly ListWish[];
  readonly madeCertificates: readonly string[];
  readonly madeLists: readonly string[];
}
