/**
 * What frames cost us, so that a peer cannot make one turn of the loop long for everybody else: a pass ends when its
 * budget is used up, and the rest of the bytes waits for the next turn (`docs/spec/observed.md` O32).
 *
 * The unit is a small frame, a quarter of a microsecond on the reference machine. Payload is not counted: moving bytes is
 * what we are for, and the caller bounds it by the size of its reads.
 */
export enum Work {
  FRAME = 1,
  /** Of a header list. */
  FIELD = 2,
  /** A request: to decide, to log, to dial an application. */
  STREAM = 150,
  /** The end of a stream before its time: its application is let go, the log gets a line. */
  RESET = 75,
}

/** Bytes of a header block that cost one unit. */
export const BLOCK_BYTES = 32;

/** Of one pass: a fifth of a millisecond, three or four requests. */
export const WORK_PER_PASS = 600;
