/**
 * Checks single header fields, in requests, responses and trailers alike (RFC 9113 §8.2.1, §8.2.2). `message.ts` checks
 * the order and the choice of pseudo headers.
 */

/** Why a field is malformed, for the log. Contains no text of the peer. */
export type Flaw = string;

const BAD_IN_VALUE = 1;
const BAD_IN_NAME = 2;
const SPACE = 0x20;
const TAB = 0x09;
const COLON = 0x3a;

/** By byte: {@link BAD_IN_VALUE} and {@link BAD_IN_NAME}. */
const CLASSES = Uint8Array.from({ length: 256 }, (_, byte) => {
  // §8.2.1 requires this of NUL, CR and LF only. RFC 9110 §5.5 allows no other control characters either.
  const control = byte < SPACE && byte !== TAB || byte === 0x7f;
  const upperCase = byte >= 0x41 && byte <= 0x5a;
  const badInName = byte <= SPACE || byte >= 0x7f || upperCase || byte === COLON;
  return (control ? BAD_IN_VALUE : 0) | (badInName ? BAD_IN_NAME : 0);
});

/** Checks the bytes of a name. A colon is allowed only as the first of several characters. */
export function flawInName(bytes: Uint8Array, start: number, end: number): Flaw | null {
  if (start < end && bytes[start] === COLON) start++;
  if (start >= end) return "empty header name";
  return classesOf(bytes, start, end) & BAD_IN_NAME ? "forbidden character in a header name" : null;
}

/** Checks the bytes of a value. Returns what is wrong with them, or null. */
export function flawInValue(bytes: Uint8Array, start: number, end: number): Flaw | null {
  if (start >= end) return null;
  if (isBlank(bytes[start]) || isBlank(bytes[end - 1])) return "white space around a header value";
  return classesOf(bytes, start, end) & BAD_IN_VALUE ? "control character in a header value" : null;
}

function classesOf(bytes: Uint8Array, start: number, end: number): number {
  let classes = 0;
  for (let i = start; i < end; i++) classes |= CLASSES[bytes[i] as number] as number;
  return classes;
}

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB;
}

/** Refuses fields that belong to an HTTP/1 connection (§8.2.2). */
export function flawInField(name: string, value: string): Flaw | null {
  switch (name) {
    case "connection":
    case "proxy-connection":
    case "keep-alive":
    case "transfer-encoding":
    case "upgrade":
      return `connection-specific header ${name}`;
    case "te":
      return value === "trailers" ? null : "header te other than trailers";
    default:
      return null;
  }
}
