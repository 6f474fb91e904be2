/**
 * Writes our own answers (`docs/spec/inpod-dns.md` B5.3, B5.9): the question as received, addresses of one owner, a
 * CNAME before them, the OPT record. The class of the records is always IN, whatever the class of the question.
 */
import { type Ip, isIpv4, putIpv4, putIpv6 } from "../net/address.ts";
import { lowerCase, putName } from "./name.ts";
import { type Query, RECORD_FIXED } from "./query_reader.ts";
import {
  AA,
  ADDITIONALS_AT,
  ANSWERS_AT,
  AUTHORITIES_AT,
  CD,
  CLASS_IN,
  FLAGS_AT,
  HEADER_LENGTH,
  MAX_DATAGRAM,
  MAX_MESSAGE,
  putLong,
  putWord,
  QR,
  QUESTIONS_AT,
  RA,
  RD,
  TC,
  TYPE_A,
  TYPE_AAAA,
  TYPE_CNAME,
  TYPE_OPT,
  TYPE_PTR,
  word,
} from "./wire.ts";

/** The transport of a query. */
export type Protocol = "udp" | "tcp";

const OPT_LENGTH = 11;
const MIN_PAYLOAD = 512;
/** UDP payload of clients without an OPT record (B5.3). */
const DEFAULT_PAYLOAD = 4096;
const OPCODE_BITS = 0x7800;
const POINTER = 0xc000;

/** The records of an answer, all of one owner. */
export interface Records {
  readonly addresses: readonly Ip[];
  /** Seconds. */
  readonly ttl: number;
  readonly authoritative: boolean;
  /**
   * The owner is the first so many labels of the query's name, to which a CNAME leads; 0: the owner is the whole name.
   */
  readonly aliasLabels: number;
  /** The target of a PTR record, in place of addresses. */
  readonly pointer?: string;
}

/** The largest answer to this query, in bytes. */
export function answerLimit(query: Query | null, protocol: Protocol): number {
  if (protocol === "tcp") return MAX_MESSAGE;
  const edns = query?.edns ?? null;
  return edns === null ? DEFAULT_PAYLOAD : Math.min(Math.max(edns.payload, MIN_PAYLOAD), MAX_DATAGRAM);
}

/** Writes the answer and returns its length. `into` must have room for the largest message. */
export function writeAnswer(
  request: Uint8Array,
  query: Query,
  records: Records,
  protocol: Protocol,
  into: Uint8Array,
): number {
  const limit = answerLimit(query, protocol) - (query.edns === null ? 0 : OPT_LENGTH);
  const writer = new Writer(request, query, into, limit);
  if (records.aliasLabels > 0 && records.addresses.length > 0) writer.alias(records.aliasLabels, records.ttl);
  if (records.pointer !== undefined) writer.pointer(records.pointer, records.ttl);
  for (const ip of records.addresses) if (!writer.address(ip, records.ttl)) break;
  return writer.finish(records.authoritative);
}

class Writer {
  readonly #query: Query;
  readonly #into: Uint8Array;
  readonly #limit: number;
  /** Offset of the owner's name, or where it will be written. */
  #owner = HEADER_LENGTH;
  #ownerWritten: boolean;
  #at: number;
  #answers = 0;
  #truncated = false;

  constructor(request: Uint8Array, query: Query, into: Uint8Array, limit: number) {
    this.#query = query;
    this.#into = into;
    this.#limit = limit;
    for (let i = HEADER_LENGTH; i < query.questionEnd; i++) into[i] = request[i]!;
    this.#at = query.questionEnd;
    // Owners are in lower case, so a pointer to the question works only if that is in lower case too.
    this.#ownerWritten = isLowerCase(request, HEADER_LENGTH, query.questionEnd - 4);
  }

  /** Writes a CNAME from the question's name to its first `labels` labels, which own the following records. */
  alias(labels: number, ttl: number): void {
    const length = prefixLength(this.#into, labels);
    if (!this.#begin(TYPE_CNAME, ttl, length + 1)) return;
    const target = this.#at;
    for (let i = 0; i < length; i++) this.#into[this.#at++] = lowerCase(this.#into[HEADER_LENGTH + i]!);
    this.#into[this.#at++] = 0;
    this.#owner = target;
    this.#answers++;
  }

  /** Writes an address record. False: there is no room left. */
  address(ip: Ip, ttl: number): boolean {
    const v4 = isIpv4(ip);
    const length = v4 ? 4 : 16;
    if (!this.#begin(v4 ? TYPE_A : TYPE_AAAA, ttl, length)) return false;
    if (v4) putIpv4(ip, this.#into, this.#at);
    else putIpv6(ip, this.#into, this.#at);
    this.#at += length;
    this.#answers++;
    return true;
  }

  pointer(name: string, ttl: number): void {
    const length = name.length + 2;
    if (!this.#begin(TYPE_PTR, ttl, length)) return;
    const end = putName(name, this.#into, this.#at);
    if (end < 0) return;
    this.#at = end;
    this.#answers++;
  }

  finish(authoritative: boolean): number {
    const { flags, edns, id } = this.#query;
    const into = this.#into;
    putWord(into, 0, id);
    const ours = QR | RA | (authoritative ? AA : 0) | (this.#truncated ? TC : 0);
    putWord(into, FLAGS_AT, (flags & (OPCODE_BITS | RD | CD)) | ours);
    putWord(into, QUESTIONS_AT, 1);
    putWord(into, ANSWERS_AT, this.#answers);
    putWord(into, AUTHORITIES_AT, 0);
    putWord(into, ADDITIONALS_AT, edns === null ? 0 : 1);
    if (edns === null) return this.#at;
    into[this.#at] = 0;
    putWord(into, this.#at + 1, TYPE_OPT);
    putWord(into, this.#at + 3, Math.max(edns.payload, MIN_PAYLOAD));
    into[this.#at + 5] = 0;
    into[this.#at + 6] = edns.version;
    putWord(into, this.#at + 7, edns.flags & DO);
    putWord(into, this.#at + 9, 0);
    return this.#at + OPT_LENGTH;
  }

  /** Writes a record up to its data. False: there is no room for the whole record. */
  #begin(type: number, ttl: number, dataLength: number): boolean {
    const into = this.#into;
    const questionLength = this.#query.questionEnd - 4 - HEADER_LENGTH;
    const ownerLength = this.#ownerWritten ? 2 : questionLength;
    if (this.#truncated || this.#at + ownerLength + RECORD_FIXED + dataLength > this.#limit) {
      this.#truncated = true;
      return false;
    }
    if (this.#ownerWritten) putWord(into, this.#at, POINTER | this.#owner);
    else {
      for (let i = 0; i < questionLength; i++) into[this.#at + i] = lowerCase(into[HEADER_LENGTH + i]!);
      this.#owner = this.#at;
      this.#ownerWritten = true;
    }
    this.#at += ownerLength;
    putWord(into, this.#at, type);
    putWord(into, this.#at + 2, CLASS_IN);
    putLong(into, this.#at + 4, ttl);
    putWord(into, this.#at + 8, dataLength);
    this.#at += RECORD_FIXED;
    return true;
  }
}

const DO = 0x8000;

function isLowerCase(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (lowerCase(bytes[i]!) !== bytes[i]) return false;
  return true;
}

/** Length in bytes of the first `labels` labels of the question's name. */
function prefixLength(bytes: Uint8Array, labels: number): number {
  let at = HEADER_LENGTH;
  for (let i = 0; i < labels; i++) at += bytes[at]! + 1;
  return at - HEADER_LENGTH;
}

/** Writes an empty truncated answer, for a client that cannot take the full one by UDP. Returns its length. */
export function writeTruncated(
  request: Uint8Array,
  query: Query,
  full: Uint8Array,
  into: Uint8Array,
): number {
  const length = new Writer(request, query, into, HEADER_LENGTH).finish(false);
  putWord(into, FLAGS_AT, word(full, FLAGS_AT) | TC);
  return length;
}

/**
 * Writes an answer without records: header, and the question where there is one (B5.3, last column). Returns its
 * length.
 */
export function writeFailure(
  request: Uint8Array,
  rcode: number,
  questionEnd: number | null,
  into: Uint8Array,
): number {
  const end = questionEnd ?? HEADER_LENGTH;
  for (let i = 0; i < end; i++) into[i] = request[i]!;
  putWord(into, FLAGS_AT, QR | (word(request, FLAGS_AT) & (OPCODE_BITS | RD | CD)) | rcode);
  putWord(into, QUESTIONS_AT, questionEnd === null ? 0 : 1);
  putWord(into, ANSWERS_AT, 0);
  putWord(into, AUTHORITIES_AT, 0);
  putWord(into, ADDITIONALS_AT, 0);
  return end;
}
