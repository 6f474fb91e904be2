/** Makes certificates: for the local authority, and bad ones for tests. */
import { createHash, type KeyObject, sign } from "node:crypto";
import { contextTag, DerReader, Tag } from "./der.ts";
import * as der from "./der_write.ts";
import { Oid } from "./oids.ts";

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

/** Signs with SHA-256 and an EC or RSA key. */
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

/** 128 bits from a cryptographic source, positive and never zero (RFC 5280 §4.1.2.2). */
export function randomSerial(): Uint8Array {
  const serial = crypto.getRandomValues(new Uint8Array(16));
  serial[0] = serial[0]! & 0x7f | 0x40;
  return serial;
}

/** A Name of one organization, or the empty Name. */
export function organizationName(organization: string | null): Uint8Array {
  if (organization === null) return der.sequence();
  const value = new TextEncoder().encode(organization);
  return der.sequence(der.set(der.sequence(der.oid(Oid.ORGANIZATION), der.element(Tag.UTF8_STRING, value))));
}

export function extension(id: string, critical: boolean, value: Uint8Array): Uint8Array {
  return der.sequence(der.oid(id), ...(critical ? [der.boolean(true)] : []), der.octetString(value));
}

/** Critical, as the subject may be empty. */
export function uriAltNames(...uris: readonly string[]): Uint8Array {
  const names = uris.map((uri) => der.text(contextTag(6, false), uri));
  return extension(Oid.SUBJECT_ALT_NAME, true, der.sequence(...names));
}

export function caConstraints(pathLength: number | null): Uint8Array {
  const length = pathLength === null ? [] : [der.smallInteger(pathLength)];
  return extension(Oid.BASIC_CONSTRAINTS, true, der.sequence(der.boolean(true), ...length));
}

export function leafConstraints(): Uint8Array {
  return extension(Oid.BASIC_CONSTRAINTS, true, der.sequence());
}

export function keyUsage(bits: number): Uint8Array {
  return extension(Oid.KEY_USAGE, true, der.namedBits(bits));
}

export function extendedKeyUsage(...oids: readonly string[]): Uint8Array {
  return extension(Oid.EXTENDED_KEY_USAGE, false, der.sequence(...oids.map(der.oid)));
}

export function subjectKeyId(publicKey: Uint8Array): Uint8Array {
  return extension(Oid.SUBJECT_KEY_ID, false, der.octetString(keyId(publicKey)));
}

export function authorityKeyId(issuerKeyId: Uint8Array): Uint8Array {
  const id = der.element(contextTag(0, false), issuerKeyId);
  return extension(Oid.AUTHORITY_KEY_ID, false, der.sequence(id));
}

/** The leftmost 160 bits of the SHA-256 of the key's bits (RFC 7093 §2). */
export function keyId(publicKey: Uint8Array): Uint8Array {
  const fields = new DerReader(publicKey).enter(Tag.SEQUENCE);
  fields.take(Tag.SEQUENCE);
  return createHash("sha256").update(fields.take(Tag.BIT_STRING).subarray(1)).digest().subarray(0, 20);
}
