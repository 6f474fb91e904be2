/**
 * Parses the head of an HTTP/1.x request (RFC 9112; limits: `docs/spec/config-admin.md` 4.1), without I/O.
 *
 * The servers of the runtime are not used, since they never accept again after the process ran out of descriptors
 * (`docs/spec/deno-notes.md` 3.6). Requests to our servers are small: heads without bodies.
 */

/** The head of a request. */
export interface RequestHead {
  readonly method: string;
  /** Without the query; at least `/`. */
  readonly path: string;
  /** The part after the `?`, still encoded; empty: there is none. */
  readonly query: string;
  /** Values by lower-case name, in order of appearance. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  /** Minor version of HTTP. Clients of HTTP/1.1 support chunked bodies. */
  readonly minor: 0 | 1;
  /** Whether the client wants to keep the connection. */
  readonly keepAlive: boolean;
  /** Bytes after the head; null: chunked, so the length is not known. */
  readonly bodyLength: number | null;
  /** The client sends the body after "100 Continue", or after a delay (`Expect: 100-continue`, RFC 9110 §10.1.1). */
  readonly waitsWithBody: boolean;
}

/** The result of parsing. */
type RequestHeadResult =
  | { readonly kind: "incomplete" }
  /** `size`: bytes of the head with its empty line. */
  | { readonly kind: "head"; readonly head: RequestHead; readonly size: number }
  | { readonly kind: "refused"; readonly status: 400 | 414 | 417 | 431 };

/** Largest head, bytes. */
export const HEAD_MAX = 8192;
const HEADERS_MAX = 100;

const TAB = 9;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const SPACE = 32;
const decoder = new TextDecoder("latin1");

const BAD = { kind: "refused", status: 400 } as const;
const UNKNOWN_EXPECTATION = { kind: "refused", status: 417 } as const;
const TOO_LARGE = { kind: "refused", status: 431 } as const;
const INCOMPLETE = { kind: "incomplete" } as const;

/** Parses the head at the beginning of `bytes`, which are all bytes received and not used. */
export function parseRequestHead(bytes: Uint8Array): RequestHeadResult {
  const size = headSize(bytes.subarray(0, HEAD_MAX));
  if (size === null) return bytes.length < HEAD_MAX ? INCOMPLETE : overflow(bytes);
  const lines = decoder.decode(bytes.subarray(0, size)).split(/\r?\n/);
  const request = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e\x80-\xff]+) HTTP\/1\.([01])$/.exec(lines[0] ?? "");
  if (request === null) return BAD;
  const [, method = "", target = "", version = ""] = request;
  const minor = version === "1" ? 1 : 0;
  const fields = lines.slice(1, -2);
  if (fields.length > HEADERS_MAX) return TOO_LARGE;
  const headers = parseHeaders(fields);
  const bodyLength = headers === null ? undefined : lengthOf(headers, minor);
  if (headers === null || bodyLength === undefined) return BAD;
  const keepAlive = staysOpen(headers, minor);
  // HTTP/1.0 has no expectations (RFC 9110 10.1.1).
  const expectations = minor === 1 ? headers.get("expect") ?? [] : [];
  if (expectations.some((value) => value.toLowerCase() !== "100-continue")) return UNKNOWN_EXPECTATION;
  const waitsWithBody = expectations.length > 0 && bodyLength !== 0;
  const head = { method, ...splitTarget(target), headers, minor, keepAlive, bodyLength, waitsWithBody } as const;
  return { kind: "head", head, size };
}

/** Bytes up to and including the first empty line. Lines may end in a bare line feed (RFC 9112 §2.2). */
function headSize(bytes: Uint8Array): number | null {
  for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) {
    const next = bytes[at + 1] === CARRIAGE_RETURN ? at + 2 : at + 1;
    if (bytes[next] === LINE_FEED) return next + 1;
  }
  return null;
}

/** The refusal of a head that is too large. Without the end of the first line, the target is too long. */
function overflow(bytes: Uint8Array): RequestHeadResult {
  return bytes.subarray(0, HEAD_MAX).includes(LINE_FEED) ? TOO_LARGE : { kind: "refused", status: 414 };
}

/** Null: a line is not a valid header. Folded lines are not valid (RFC 9112 §5.2). */
function parseHeaders(lines: readonly string[]): Map<string, string[]> | null {
  const headers = new Map<string, string[]>();
  for (const line of lines) {
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t\x20-\x7e\x80-\xff]*)$/.exec(line);
    if (field === null) return null;
    const [, name = "", spaced = ""] = field;
    const value = withoutBlanks(spaced);
    const values = headers.get(name.toLowerCase());
    if (values === undefined) headers.set(name.toLowerCase(), [value]);
    else values.push(value);
  }
  return headers;
}

/**
 * Removes spaces and tabs at both ends, in linear time. A regular expression with `[ \t]*` around a value takes cubic
 * time for many spaces, minutes for one head.
 */
function withoutBlanks(text: string): string {
  let start = 0, end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

/** The length of the body. Undefined: the headers contradict each other (RFC 9112 §6.3). */
function lengthOf(headers: ReadonlyMap<string, readonly string[]>, minor: 0 | 1): number | null | undefined {
  const lengths = new Set(headers.get("content-length") ?? []);
  const codings = headers.get("transfer-encoding");
  if (codings !== undefined) {
    const chunked = codings.length === 1 && codings[0]?.toLowerCase() === "chunked";
    return chunked && minor === 1 && lengths.size === 0 ? null : undefined;
  }
  if (lengths.size === 0) return 0;
  const [length = ""] = lengths;
  return lengths.size === 1 && /^[0-9]{1,15}$/.test(length) ? Number(length) : undefined;
}

function staysOpen(headers: ReadonlyMap<string, readonly string[]>, minor: 0 | 1): boolean {
  const options = (headers.get("connection") ?? []).flatMap((value) =>
    value.toLowerCase().split(",").map(withoutBlanks)
  );
  return minor === 1 ? !options.includes("close") : options.includes("keep-alive");
}

/** Splits a target in origin form, or in absolute form, whose authority is ignored. */
function splitTarget(target: string): { path: string; query: string } {
  const local = target.replace(/^https?:\/\/[^/?]*/i, "");
  const question = local.indexOf("?");
  const path = question < 0 ? local : local.slice(0, question);
  return { path: path === "" ? "/" : path, query: question < 0 ? "" : local.slice(question + 1) };
}
