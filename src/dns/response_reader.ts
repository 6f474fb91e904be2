/**
 * Reads what an upstream server sent: whether it is the response to our question, whether it is valid, and its
 * lifetime.
 */
import { endOfName, type NameSteps, sameFolded } from "./name.ts";
import { endOfRecord, RECORD_FIXED } from "./query_reader.ts";
import {
  ADDITIONALS_AT,
  ANSWERS_AT,
  AUTHORITIES_AT,
  FLAGS_AT,
  HEADER_LENGTH,
  long,
  NOERROR,
  NXDOMAIN,
  OPCODE_QUERY,
  opcodeOf,
  putLong,
  QR,
  QUESTIONS_AT,
  rcodeOf,
  TC,
  TYPE_OPT,
  TYPE_SIG,
  TYPE_SOA,
  TYPE_TSIG,
  word,
} from "./wire.ts";

/** A message to be sent, and what identifies its response. */
export interface Message {
  readonly bytes: Uint8Array;
  /** Offset after the only question; null where the message is not read (opcodes other than QUERY). */
  readonly questionEnd: number | null;
}

/** The facts of a valid response. */
export interface ResponseFacts {
  readonly rcode: number;
  readonly truncated: boolean;
  /** ANCOUNT */
  readonly answers: number;
  /** Seconds for which it may be cached; 0: not at all. */
  readonly lifetime: number;
}

/** Longest lifetime of a response, seconds (`docs/spec/inpod-dns.md` B5.11). */
const LONGEST = 86_400;
/**
 * Labels and pointers read of one response. The largest message has room for 4,000 addresses, each with a pointer to a
 * question of a few labels.
 */
const MAX_STEPS = 65_536;

/**
 * The facts of a response. Null: it is invalid, or not the response to `message` with `id` (RFC 5452 §9.1). The
 * sender's address is checked by the connected socket.
 */
export function readResponse(response: Uint8Array, message: Message, id: number): ResponseFacts | null {
  if (response.length < HEADER_LENGTH || word(response, 0) !== id) return null;
  const flags = word(response, FLAGS_AT);
  if ((flags & QR) === 0 || opcodeOf(flags) !== opcodeOf(word(message.bytes, FLAGS_AT))) return null;
  const head = { rcode: rcodeOf(flags), truncated: (flags & TC) !== 0, answers: word(response, ANSWERS_AT) };
  if (message.questionEnd === null) return { ...head, lifetime: 0 };
  if (isBareError(response, head.rcode)) return { ...head, lifetime: 0 };
  if (word(response, QUESTIONS_AT) !== 1 || !sameQuestion(response, message.bytes, message.questionEnd)) return null;
  const ttls = walk(response, message.questionEnd);
  if (ttls === null) return null;
  return { ...head, lifetime: head.truncated ? 0 : lifetimeOf(head.rcode, head.answers, ttls) };
}

/** An error without the question, as servers send it that could not read the query. */
function isBareError(response: Uint8Array, rcode: number): boolean {
  return rcode !== NOERROR && rcode !== NXDOMAIN && word(response, QUESTIONS_AT) === 0 &&
    response.length === HEADER_LENGTH;
}

/** Whether the questions are equal; the name's letters may differ in case. */
function sameQuestion(response: Uint8Array, request: Uint8Array, end: number): boolean {
  return sameFolded(response, request, HEADER_LENGTH, end - 4) && word(response, end - 4) === word(request, end - 4) &&
    word(response, end - 2) === word(request, end - 2);
}

interface Ttls {
  /** Least TTL of all records. */
  readonly least: number;
  /** TTL of a negative answer (RFC 2308 §5); null: there is no SOA. */
  readonly negative: number | null;
  readonly signed: boolean;
}

function walk(bytes: Uint8Array, at: number): Ttls | null {
  const answers = word(bytes, ANSWERS_AT), authorities = word(bytes, AUTHORITIES_AT);
  const count = answers + authorities + word(bytes, ADDITIONALS_AT);
  let least = LONGEST, signed = false;
  let negative: number | null = null;
  const steps: NameSteps = { left: MAX_STEPS };
  for (let i = 0; i < count; i++) {
    const fixed = endOfName(bytes, at, steps);
    const end = endOfRecord(bytes, fixed);
    if (end < 0) return null;
    const type = word(bytes, fixed);
    if (type !== TYPE_OPT) least = Math.min(least, ttlAt(bytes, fixed + 4));
    if (type === TYPE_TSIG || type === TYPE_SIG) signed = true;
    if (type === TYPE_SOA && i >= answers && i < answers + authorities) negative = negativeTtl(bytes, fixed, end);
    at = end;
  }
  return { least, negative, signed };
}

/** A TTL with its highest bit set counts as 0 (RFC 2181 §8). */
function ttlAt(bytes: Uint8Array, at: number): number {
  const ttl = long(bytes, at);
  return ttl > 0x7fffffff ? 0 : ttl;
}

/** The smaller of the SOA's own TTL and its last field (RFC 2308 §5). */
function negativeTtl(bytes: Uint8Array, fixed: number, end: number): number | null {
  const owner = endOfName(bytes, fixed + RECORD_FIXED);
  const mailbox = owner < 0 ? -1 : endOfName(bytes, owner);
  if (mailbox < 0 || mailbox + 20 > end) return null;
  return Math.min(ttlAt(bytes, fixed + 4), ttlAt(bytes, mailbox + 16));
}

function lifetimeOf(rcode: number, answers: number, { least, negative, signed }: Ttls): number {
  if (signed) return 0;
  if (rcode === NOERROR && answers > 0) return least;
  return rcode === NOERROR || rcode === NXDOMAIN ? Math.min(least, negative ?? 0) : 0;
}

/** Subtracts `seconds` from the TTL of every record of a response that {@link readResponse} has accepted. */
export function ageRecords(bytes: Uint8Array, questionEnd: number, seconds: number): void {
  const count = word(bytes, ANSWERS_AT) + word(bytes, AUTHORITIES_AT) + word(bytes, ADDITIONALS_AT);
  let at = questionEnd;
  for (let i = 0; i < count; i++) {
    const fixed = endOfName(bytes, at);
    if (word(bytes, fixed) !== TYPE_OPT) putLong(bytes, fixed + 4, Math.max(0, ttlAt(bytes, fixed + 4) - seconds));
    at = endOfRecord(bytes, fixed);
  }
}

/** Whether a name exists, but has no record of this type. */
export function isEmptyAnswer({ rcode, answers }: ResponseFacts, opcode: number): boolean {
  return opcode === OPCODE_QUERY && rcode === NOERROR && answers === 0;
}
