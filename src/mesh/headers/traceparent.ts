/**
 * The `traceparent` header (W3C Trace Context; `docs/spec/dataplane.md` 2.4): `00-TRACE-PARENT-FLAGS`, in lower-case
 * hexadecimal digits. Its trace id names a connection in the log lines of both proxies.
 */

/** Fills the array with random bytes, like `crypto.getRandomValues`. */
type FillRandom = (bytes: Uint8Array<ArrayBuffer>) => void;

/** Characters of a header value. */
export const TRACEPARENT_LENGTH = 55;
/** Version ff, and ids that consist of zeros, are invalid (W3C Trace Context §3.2.2). */
const VALID = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
const TRACE_FROM = 3, TRACE_TO = 35;

/** Used within one call. */
const IDS = new Uint8Array(24);

/** A new header value with random ids. `isSampled`: whether a trace with this id is flagged as sampled. */
export function newTraceparent(fill: FillRandom, isSampled: (traceId: string) => boolean): string {
  fill(IDS);
  const ids = IDS.toHex();
  const id = ids.slice(0, 32);
  return `00-${id}-${ids.slice(32)}-${isSampled(id) ? "01" : "00"}`;
}

/** Returns whether a received header value is valid. */
export function isTraceparent(value: string): boolean {
  return value.length === TRACEPARENT_LENGTH && VALID.test(value);
}

/** The trace id of a valid header value: 32 digits. */
export function traceIdOf(traceparent: string): string {
  return traceparent.slice(TRACE_FROM, TRACE_TO);
}
