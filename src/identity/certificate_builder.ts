/** Builds certificates for the local authority, and valid and invalid ones for tests. */
import { createHash, type KeyObject, sign } from "node:crypto";
import { contextTag, DerReader, Tag } from "./der.ts";
import * as der from "./der_write.ts";
import { Oid } from "./oids.ts";

/** The signed part of a certificate. */
export interface CertificateTemplate {
  /** Default 3. Version 1 has no extensions. */
  readonly version?: 1 | 3;
  /** Magnitude, big-endian. */
  readonly serial: Uint8Array;
  /** Name elements. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** ms since the epoch; rounded down to whole seconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  /** Extension elements. */
  readonly extensions: readonly Uint8Array[];
}

/** Returns the certificate in DER, signed with SHA-256. Throws a TypeError unless the key is EC or RSA. */
export function signCertificate(template: CertificateTemplate, issuerKey: KeyObject): Uint8Array {
  const algorithm = signatureAlgorithm(issuerKey);
  const v3 = template.version !== 1;
  const tbs = der.sequence(
    ...(v3 ? [der.element(contextTag(0, true), der.smallInteger(2))] : []),
    der.unsignedInteger(template.serial),
    algorithm,
    template.issuer,
    der.sequence(der.time(template.notBefore), der.time(template.notAfter)),
    template.subject,
    template.publicKey,
    ...(v3 ? [der.element(contextTag(3, true), der.sequence(...template.extensions))] : []),
  );
  return der.sequence(tbs, algorithm, der.bitString(sign("sha256", tbs, issuerKey)));
}

function signatureAlgorithm(key: KeyObject): Uint8Array {
  if (key.asymmetricKeyType === "ec") return der.sequence(der.oid(Oid.ECDSA_SHA256));
  if (key.asymmetricKeyType === "rsa") return der.sequence(der.oid(Oid.RSA_SHA256), der.element(Tag.NULL));
  throw new TypeError(`Cannot sign with a key of type "${key.asymmetricKeyType}" as it must be EC or RSA`);
}

/** Returns 16 random bytes with the highest bit clear and the next one set: positive, not zero (RFC 5280 §4.1.2.2). */
export function randomSerial(): Uint8Array {
  const serial = crypto.getRandomValues(new Uint8Array(16));
  serial[0] = serial[0]! & 0x7f | 0x40;
  return serial;
}

/** Returns a Name element with one organization; null: the empty Name. */
export function organizationName(organization: string | null): Uint8Array {
  if (organization === null) return der.sequence();
  const value = new TextEncoder().encode(organization);
  return der.sequence(der.set(der.sequence(der.oid(Oid.ORGANIZATION), der.element(Tag.UTF8_STRING, value))));
}

/** Returns an Extension element. `id`: dotted OID. `value`: the DER of the extension's value. */
export function extension(id: string, critical: boolean, value: Uint8Array): Uint8Array {
  return der.sequence(der.oid(id), ...(critical ? [der.boolean(true)] : []), der.octetString(value));
}

/** Returns subjectAltName with these URIs. It is critical, as the subject may be empty (RFC 5280 §4.2.1.6). */
export function uriAltNames(...uris: readonly string[]): Uint8Array {
  const names = uris.map((uri) => der.text(contextTag(6, false), uri));
  return extension(Oid.SUBJECT_ALT_NAME, true, der.sequence(...names));
}

/** Returns basicConstraints of a CA. `pathLength`: null for no limit. */
export function caConstraints(pathLength: number | null): Uint8Array {
  const length = pathLength === null ? [] : [der.smallInteger(pathLength)];
  return extension(Oid.BASIC_CONSTRAINTS, true, der.sequence(der.boolean(true), ...length));
}

/** Returns basicConstraints of a certificate that is no CA. */
export function leafConstraints(): Uint8Array {
  return extension(Oid.BASIC_CONSTRAINTS, true, der.sequence());
}

/** Returns keyUsage. `bits`: a sum of the bits of `KeyUsage`. */
export function keyUsage(bits: number): Uint8Array {
  return extension(Oid.KEY_USAGE, true, der.namedBits(bits));
}

/** Returns extendedKeyUsage with these dotted OIDs. */
export function extendedKeyUsage(...oids: readonly string[]): Uint8Array {
  return extension(Oid.EXTENDED_KEY_USAGE, false, der.sequence(...oids.map(der.oid)));
}

/** Returns subjectKeyIdentifier. `publicKey`: SubjectPublicKeyInfo. */
export function subjectKeyId(publicKey: Uint8Array): Uint8Array {
  return extension(Oid.SUBJECT_KEY_ID, false, der.octetString(keyId(publicKey)));
}

/** Returns authorityKeyIdentifier. `issuerKeyId`: as {@link keyId} returns it. */
export function authorityKeyId(issuerKeyId: Uint8Array): Uint8Array {
  const id = der.element(contextTag(0, false), issuerKeyId);
  return extension(Oid.AUTHORITY_KEY_ID, false, der.sequence(id));
}

/** Returns the leftmost 160 bits of the SHA-256 of the key's bits (RFC 7093 §2). `publicKey`: SubjectPublicKeyInfo. */
export function keyId(publicKey: Uint8Array): Uint8Array {
  const fields = new DerReader(publicKey).enter(Tag.SEQUENCE);
  fields.take(Tag.SEQUENCE);
  return createHash("sha256").update(fields.take(Tag.BIT_STRING).subarray(1)).digest().subarray(0, 20);
}
