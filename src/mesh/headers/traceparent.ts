/**
 * The `traceparent` header (W3C Trace Context; `docs/spec/dataplane.md` 2.4):.
 */

/** Fills the array with random bytes, like `crypto.getRandomValues`. */
type FillRandom = (bytes: Uint8Array<ArrayBuffer>) => void;

/** A new header value with random ids, flagged as not sampled. */
export function newTraceparent(fill: FillRandom): string {
  const id = randomHex(fill, 24);
  return `00-${id.slice(0, 32)}-${id.slice(32)}-00`;
}

function randomHex(fill: FillRandom, length: number): string {
  const bytes = new Uint8Array(length);
  fill(bytes);
  return bytes.toHex();
}
