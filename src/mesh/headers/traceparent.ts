/** The `traceparent` header (W3C Trace Context; `docs/spec/dataplane.md` 2.4): it ties the log lines of two proxies. */

/** Fills the array with random bytes, like `crypto.getRandomValues`. */
export type FillRandom = (bytes: Uint8Array<ArrayBuffer>) => void;

const TRACEPARENT = /^[0-9a-fA-F]{2}-([0-9a-fA-F]{32})-[0-9a-fA-F]{16}-[0-9a-fA-F]{2}$/;

/** A new one, not sampled. */
export function newTraceparent(fill: FillRandom): string {
  const id = randomHex(fill, 24);
  return `00-${id.slice(0, 32)}-${id.slice(32)}-00`;
}

/** The trace id, 32 hexadecimal digits, or null: make a new one with {@link newTraceId}. */
export function parseTraceId(value: string | null): string | null {
  return value === null ? null : TRACEPARENT.exec(value)?.[1] ?? null;
}

export function newTraceId(fill: FillRandom): string {
  return randomHex(fill, 16);
}

function randomHex(fill: FillRandom, length: number): string {
  const bytes = new Uint8Array(length);
  fill(bytes);
  return bytes.toHex();
}
