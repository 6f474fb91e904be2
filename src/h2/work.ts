/**
 * How much work frames cause, so that one peer cannot make a turn of the loop long for all others: a pass ends when its
 * budget is used up, and the remaining bytes wait for the next turn (`docs/spec/observed.md` O32).
 *
 * The unit is a small frame: a quarter of a microsecond on the reference machine. Payload is not counted: the caller
 * limits it by the size of its reads.
 */
export enum Work {
  /** Of any type. */
  FRAME = 1,
  /** A field of a header list. */
  FIELD = 2,
  /** A request: authorizing and logging it, and dialling the application. */
  STREAM = 150,
  /** A reset stream: closing the application's connection, and a line of the log. */
  RESET = 75,
}

/** Bytes of a header block that count as one unit. */
export const BLOCK_BYTES = 32;

/** Budget of one pass: a fifth of a millisecond, or three to four requests. */
export const WORK_PER_PASS = 600;
