/**
 * Input and output of `oracle.ts`. Bytes are base64, serial numbers hexadecimal, times in milliseconds since 1970.
 */

/** Fields of a certificate. */
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

/** What the library has read from a certificate. */
export interface CertificateFacts extends CertificateContent {
  /** SubjectPublicKeyInfo. */
  readonly publicKey: string;
  /** The signature is that of the given issuer. */
  readonly signed: boolean;
}

/** A certificate that the library makes. */
export interface CertificateTemplate extends CertificateContent {
  readonly subject: string;
  /** Whether extensions are marked as critical, where that is allowed. */
  readonly critical: boolean;
}

/** A revocation list that the library makes, or has read. */
export interface RevocationList {
  readonly serials: readonly string[];
  readonly nextUpdate: number | null;
}

/** What the library reads and makes. */
export interface Questions {
  readonly certificates: readonly { readonly der: string; readonly issuer: string }[];
  /** Certificate signing requests. */
  readonly requests: readonly string[];
  /** Revocation lists. */
  readonly lists: readonly string[];
  readonly makeCertificates: readonly CertificateTemplate[];
  readonly makeLists: readonly RevocationList[];
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
  readonly lists: readonly RevocationList[];
  readonly madeCertificates: readonly string[];
  readonly madeLists: readonly string[];
}
