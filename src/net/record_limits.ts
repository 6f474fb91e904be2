/** Sizes and numbers of TLS 1.3 records. */
import { HEADER, OVERHEAD } from "../os/record_cipher.ts";

/** The most data of a record, in bytes (RFC 8446 §5.1). */
export const MOST_DATA = 16384;
/** Bytes of the longest record, its header included (RFC 8446 §5.2). */
export const LONGEST_RECORD = HEADER + MOST_DATA + 256;

/** The fewest records that fill `unit` bytes, all of one length: their number, and the bytes of data of each. */
export function recordsOf(unit: number): { readonly count: number; readonly data: number } {
  const count = Math.ceil(unit / (MOST_DATA + OVERHEAD));
  return { count, data: Math.floor(unit / count) - OVERHEAD };
}

/** Bytes of data in the records that fill `unit` bytes. */
export function dataOf(unit: number): number {
  const { count, data } = recordsOf(unit);
  return Math.max(1, count * data);
}

/** Records after which a key is replaced. RFC 8446 §5.5 allows 2^24.5 full ones for AES-GCM. */
export const RECORDS_PER_KEY = 2 ** 23;

/** A key update that is to be sent. "request": it asks the peer to replace its key, too. */
export type OwedUpdate = "nothing" | "update" | "request";
