/**
 * Parses the parts of an X.509 certificate (RFC 5280) that decide who a peer is. Does not check signatures: the TLS
 * library, or `server_path.ts`, does.
 */
import { contextTag, DerError, DerReader, Tag, takeInteger, takeOid, takeSmallInteger, takeTime } from "./der.ts";
import { type CertificateExtensions, NO_EXTENSIONS, readExtensions } from "./certificate_extensions.ts";

/** A parsed certificate. All byte arrays are views of `der`. */
export interface Certificate extends CertificateExtensions {
  readonly der: Uint8Array;
  readonly version: 1 | 2 | 3;
  /** Content octets of the INTEGER, sign octet included, for comparison with the serials of CRLs. */
  readonly serial: Uint8Array;
  /** The Name as a whole element. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** ms since the epoch; both moments are part of the validity. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** SubjectPublicKeyInfo as a whole element. */
  readonly publicKey: Uint8Array;
}

/** The reason, for the log, why a certificate cannot be parsed. */
interface MalformedCertificate {
  readonly problem: string;
}

/** Bytes. More than any certificate with a post-quantum key has; limits the work per certificate. */
const MAX_CERTIFICATE = 64 * 1024;
/** RFC 5280 §4.1.2.2 allows 20 octets; a few issuers add a sign octet. */
const MAX_SERIAL = 21;

/**
 * Parses one certificate. Never throws. Besides malformed DER it refuses duplicate extensions, unknown critical
 * extensions, extensions outside of version 3, and two different signature algorithms.
 */
export function parseCertificate(der: Uint8Array): Certificate | MalformedCertificate {
  if (der.length > MAX_CERTIFICATE) return { problem: `certificate of ${der.length} bytes is too large` };
  try {
    return readCertificate(der);
  } catch (error) {
    if (error instanceof DerError) return { problem: error.message };
    throw error;
  }
}

/** True for a certificate that could not be parsed. */
export function isMalformed(result: Certificate | MalformedCertificate): result is MalformedCertificate {
  return "problem" in result;
}

function readCertificate(der: Uint8Array): Certificate {
  const outer = new DerReader(der);
  const fields = outer.enter(Tag.SEQUENCE);
  outer.finish();
  const tbs = fields.enter(Tag.SEQUENCE);
  const outerAlgorithm = fields.whole(Tag.SEQUENCE);
  fields.take(Tag.BIT_STRING);
  fields.finish();

  const version = readVersion(tbs);
  const serial = takeInteger(tbs, MAX_SERIAL);
  const algorithm = tbs.whole(Tag.SEQUENCE);
  // RFC 5280 §4.1.1.2: both must be the same, otherwise the algorithm is not protected by the signature.
  if (!equalBytes(algorithm, outerAlgorithm)) throw new DerError("signature algorithms differ");
  const issuer = readName(tbs);
  const validity = tbs.enter(Tag.SEQUENCE);
  const notBefore = takeTime(validity);
  const notAfter = takeTime(validity);
  validity.finish();
  const subject = readName(tbs);
  const publicKey = readPublicKey(tbs);
  if (version > 1) skipUniqueIds(tbs);
  const extensions = version === 3 && !tbs.done ? readExtensions(tbs) : NO_EXTENSIONS;
  tbs.finish();
  return { der, version, serial, issuer, subject, notBefore, notAfter, publicKey, ...extensions };
}

function readVersion(tbs: DerReader): 1 | 2 | 3 {
  if (tbs.tag !== contextTag(0, true)) return 1;
  const field = tbs.enter(contextTag(0, true));
  const version = takeSmallInteger(field);
  field.finish();
  // Version 1 is the DEFAULT, which DER does not encode.
  if (version === 1) return 2;
  if (version === 2) return 3;
  throw new DerError("unknown version");
}

/** Checks only that the Name is a sequence of sets. */
function readName(tbs: DerReader): Uint8Array {
  const name = tbs.whole(Tag.SEQUENCE);
  const parts = new DerReader(name).enter(Tag.SEQUENCE);
  while (!parts.done) parts.take(Tag.SET);
  return name;
}

function readPublicKey(tbs: DerReader): Uint8Array {
  const key = tbs.whole(Tag.SEQUENCE);
  const fields = new DerReader(key).enter(Tag.SEQUENCE);
  takeOid(fields.enter(Tag.SEQUENCE));
  fields.take(Tag.BIT_STRING);
  fields.finish();
  return key;
}

function skipUniqueIds(tbs: DerReader): void {
  for (const number of [1, 2]) {
    if (tbs.tag === contextTag(number, false)) tbs.take(contextTag(number, false));
  }
}

/** True where both arrays have the same bytes. Not constant-time. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The serial number in decimal (`docs/spec/config-admin.md` C36). `serial`: content octets of the INTEGER. */
export function serialDecimal(serial: Uint8Array): string {
  const value = serial.reduce((sum, byte) => sum << 8n | BigInt(byte), 0n);
  return BigInt.asIntN(8 * serial.length, value).toString();
}
