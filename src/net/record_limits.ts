/** Sizes and numbers of TLS 1.3 records. */
import { HEADER } from "../os/record_cipher.ts";

/** The most data of a record, in bytes (RFC 8446 §5.1). */
export const MOST_DATA = 16384;
/** Bytes of the longest record, its header included (RFC 8446 §5.2). */
export const LONGEST_RECORD = HEADER + MOST_DATA + 256;

/** Records after which a key is replaced. RFC 8446 §5.5 allows 2^24.5 full ones for AES-GCM. */
export const RECORDS_PER_KEY = 2 ** 23;

/** A key update that is to be sent. "request": it asks the peer to replace its key, too. */
export type OwedUpdate = "nothing" | "update" | "request";
