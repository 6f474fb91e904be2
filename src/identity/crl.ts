/** Certificate revocation lists (RFC 5280 §5): what one says, read strictly. Signatures are checked when it is used. */
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

/** Plain data: may cross threads. */
export interface RevocationList {
  /** The Name as a whole element. */
  readonly issuer: Uint8Array;
  /** ms since the epoch; null: none is given. A list that is overdue counts all the same. */
  readonly nextUpdate: number | null;
  readonly serials: SerialSet;
  /** What is signed, how, and the signature. */
  readonly signed: Uint8Array;
  readonly algorithm: Uint8Array;
  readonly signature: Uint8Array;
}

export interface MalformedList {
  readonly problem: string;
}

const MAX_SERIAL = 21;
/** `issuingDistributionPoint` and `deltaCRLIndicator`: a list that covers a part of what its issuer signed. */
const PARTIAL: Readonly<Record<string, string>> = {
  "2.5.29.27": "a delta CRL",
  "2.5.29.28": "a CRL of limited scope (issuingDistributionPoint)",
  "2.5.29.29": "an indirect CRL",
};

/** DER. Never throws for any input. Refused: what covers a part only, any other critical extension, SHA-1. */
export function parseRevocationList(der: Uint8Array): RevocationList | MalformedList {
  try {
    return readList(der);
  } catch (error) {
    if (error instanceof DerError) return { problem: error.message };
    throw error;
  }
}

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
  // Version 1 is the default and has no encoding of its own in DER; 1 stands for version 2.
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

/** No extension adds anything that we would use; but what has to be understood must be. */
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
