/** A strict parser of certificate revocation lists (RFC 5280 §5). Their signatures are checked when they are used. */
import { equalBytes } from "./certificate.ts";
import {
  contextTag,
  DerError,
  DerReader,
  Tag,
  takeBoolean,
  takeInteger,
  takeOid,
  takeSmallInteger,
  takeTime,
} from "./der.ts";
import { type SerialSet, serialSet } from "./serial_set.ts";
import { isKnownSignature } from "./signature.ts";

/** A parsed list. Plain data that may be sent to other threads. */
export interface RevocationList {
  /** The Name as a whole element. */
  readonly issuer: Uint8Array;
  /** ms since the epoch; null: not given. A list stays in force after this time (`identity-spire.md` 6.6). */
  readonly nextUpdate: number | null;
  readonly serials: SerialSet;
  /** The signed element, the AlgorithmIdentifier and the signature. */
  readonly signed: Uint8Array;
  readonly algorithm: Uint8Array;
  readonly signature: Uint8Array;
}

/** The reason, for the log, why a list cannot be used. */
export interface MalformedList {
  readonly problem: string;
}

const MAX_SERIAL = 21;
/** Extensions of lists that cover only a part of what their issuer signed, and their names for the log. */
const PARTIAL: Readonly<Record<string, string>> = {
  "2.5.29.27": "a delta CRL",
  "2.5.29.28": "a CRL of limited scope (issuingDistributionPoint)",
  "2.5.29.29": "an indirect CRL",
};

/**
 * Parses a list in DER. Never throws. Refuses lists of limited scope, other critical extensions, and SHA-1.
 */
export function parseRevocationList(der: Uint8Array): RevocationList | MalformedList {
  try {
    return readList(der);
  } catch (error) {
    if (error instanceof DerError) return { problem: error.message };
    throw error;
  }
}

/** True for a list that cannot be used. */
export function isMalformedList(result: RevocationList | MalformedList): result is MalformedList {
  return "problem" in result;
}

function readList(der: Uint8Array): RevocationList {
  const outer = new DerReader(der);
  const fields = outer.enter(Tag.SEQUENCE);
  outer.finish();
  const signed = fields.whole(Tag.SEQUENCE);
  const algorithm = fields.whole(Tag.SEQUENCE);
  const bits = fields.take(Tag.BIT_STRING);
  fields.finish();
  if (bits[0] !== 0) throw new DerError("malformed signature");
  const list = new DerReader(signed).enter(Tag.SEQUENCE);
  // Version 1 is the DEFAULT, which DER does not encode; the value 1 means version 2.
  if (list.tag === Tag.INTEGER && takeSmallInteger(list) !== 1) throw new DerError("unknown version");
  if (!equalBytes(list.whole(Tag.SEQUENCE), algorithm)) throw new DerError("signature algorithms differ");
  if (!isKnownSignature(algorithm)) throw new DerError("signature algorithm is not supported");
  const issuer = list.whole(Tag.SEQUENCE);
  takeTime(list);
  const nextUpdate = isTime(list.tag) ? takeTime(list) : null;
  const serials = list.tag === Tag.SEQUENCE ? readEntries(list.enter(Tag.SEQUENCE)) : [];
  if (list.tag === contextTag(0, true)) readExtensions(list.enter(contextTag(0, true)));
  list.finish();
  return { issuer, nextUpdate, serials: serialSet(serials), signed, algorithm, signature: bits.subarray(1) };
}

function isTime(tag: number): boolean {
  return tag === Tag.UTC_TIME || tag === Tag.GENERALIZED_TIME;
}

function readEntries(entries: DerReader): Uint8Array[] {
  const serials: Uint8Array[] = [];
  while (!entries.done) {
    const entry = entries.enter(Tag.SEQUENCE);
    serials.push(takeInteger(entry, MAX_SERIAL));
    takeTime(entry);
    if (entry.tag === Tag.SEQUENCE) checkExtensions(entry.enter(Tag.SEQUENCE));
    entry.finish();
  }
  return serials;
}

function readExtensions(field: DerReader): void {
  checkExtensions(field.enter(Tag.SEQUENCE));
  field.finish();
}

/** No extension is used, so any critical one makes the list unusable (RFC 5280 §5.2). */
function checkExtensions(list: DerReader): void {
  while (!list.done) {
    const extension = list.enter(Tag.SEQUENCE);
    const id = takeOid(extension);
    const critical = extension.tag === Tag.BOOLEAN && takeBoolean(extension);
    extension.take(Tag.OCTET_STRING);
    extension.finish();
    if (PARTIAL[id] !== undefined) throw new DerError(`${PARTIAL[id]} is not supported`);
    if (critical) throw new DerError(`unknown critical extension ${id}`);
  }
}
