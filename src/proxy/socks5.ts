/**
 * The server's side of a SOCKS5 negotiation (RFC 1928; `docs/spec/dataplane.md` 6): no authentication, CONNECT only.
 * No sockets: bytes in, steps out, in whatever pieces the client sends.
 */
import { ipv4FromBytes, ipv6FromBytes, type SocketAddress } from "../net/address.ts";
import { ioFailure, notSupported, type Socks5Failure, socks5Reply } from "./socks5_failure.ts";

/** The destination of the client. A domain is UTF-8 text of up to 255 bytes, and not checked to be a DNS name. */
export type Socks5Request =
  | { readonly kind: "address"; readonly address: SocketAddress }
  | { readonly kind: "domain"; readonly host: string; readonly port: number };

/** What to do next. `reply` is to be written first and may be empty. */
export type Socks5Step =
  | { readonly at: "needs more"; readonly reply: Uint8Array }
  /**
   * The client waits for `socks5Reply(SUCCEEDED)`, due before any connection attempt, or for a failure's reply.
   * `rest` holds what it sent behind the request: early data for the destination, a copy.
   */
  | { readonly at: "requested"; readonly reply: Uint8Array; readonly request: Socks5Request; readonly rest: Uint8Array }
  /** Write `reply`, log `failure.message` at WARN, close. */
  | { readonly at: "failed"; readonly reply: Uint8Array; readonly failure: Socks5Failure };

/** A part of the negotiation that was parsed from the start of some bytes, or null where they do not suffice yet. */
type Parsed<T> = { readonly value: T; readonly length: number } | Socks5Failure | null;

const VERSION = 5;
const CONNECT = 1;
const NO_AUTHENTICATION = 0;
const NO_AUTHENTICATION_REPLY = Uint8Array.of(VERSION, NO_AUTHENTICATION);
const NOTHING = new Uint8Array(0);

/**
 *     greeting ──method 0 offered──▶ request ──CONNECT──▶ over
 *         └───────────────┬─────────────┘
 *                         └──anything else, early end──▶ over
 *
 * Holds at most the 262 bytes of the longest message.
 */
export class Socks5Negotiation {
  #state: "greeting" | "request" | "over" = "greeting";
  #held = NOTHING;

  /** Takes what the client sent. Must not be called after a step other than `needs more`. */
  feed(bytes: Uint8Array): Socks5Step {
    const input = this.#held.length === 0 ? bytes : concat(this.#held, bytes);
    switch (this.#state) {
      case "greeting":
        return this.#greeting(input);
      case "request":
        return this.#request(input, NOTHING);
      case "over":
        throw new Error("Cannot feed a SOCKS5 negotiation that is over");
      default:
        return this.#state satisfies never;
    }
  }

  /** The client ended its stream, or the stream failed for `reason`, before the request was complete. */
  interrupted(reason = "early eof"): Socks5Step {
    return this.#fail(ioFailure(reason), NOTHING);
  }

  #greeting(input: Uint8Array): Socks5Step {
    const greeting = parseGreeting(input);
    if (greeting === null) return this.#wait(input, NOTHING);
    if ("code" in greeting) return this.#fail(greeting, NOTHING);
    this.#state = "request";
    return this.#request(input.subarray(greeting.length), NO_AUTHENTICATION_REPLY);
  }

  #request(input: Uint8Array, reply: Uint8Array): Socks5Step {
    const request = parseRequest(input);
    if (request === null) return this.#wait(input, reply);
    if ("code" in request) return this.#fail(request, reply);
    this.#over();
    return { at: "requested", reply, request: request.value, rest: input.slice(request.length) };
  }

  #wait(input: Uint8Array, reply: Uint8Array): Socks5Step {
    this.#held = input.slice();
    return { at: "needs more", reply };
  }

  #fail(failure: Socks5Failure, reply: Uint8Array): Socks5Step {
    this.#over();
    return { at: "failed", reply: concat(reply, socks5Reply(failure.code)), failure };
  }

  #over(): void {
    this.#state = "over";
    this.#held = NOTHING;
  }
}

/** `version | count | method (1 byte) * count`. A wrong version fails at once. */
function parseGreeting(bytes: Uint8Array): Parsed<null> {
  const [version, count] = bytes;
  if (version === undefined) return null;
  if (version !== VERSION) return notSupported(`unsupported version ${version}`);
  if (count === undefined) return null;
  if (count === 0) return notSupported("methods cannot be zero");
  const length = 2 + count;
  if (bytes.length < length) return null;
  if (!bytes.subarray(2, length).includes(NO_AUTHENTICATION)) return notSupported("only unauthenticated is supported");
  return { value: null, length };
}

/** `version | command | reserved | type | destination | port (2 bytes)` */
function parseRequest(bytes: Uint8Array): Parsed<Socks5Request> {
  const [version, command, _reserved, type] = bytes;
  if (version === undefined) return null;
  if (version !== VERSION) return notSupported(`unsupported version ${version}`);
  if (command === undefined) return null;
  if (command !== CONNECT) return notSupported(`unsupported command ${command}`);
  if (type === undefined) return null;
  switch (type) {
    case 1:
      return parseAddress(bytes, 4, ipv4FromBytes);
    case 3:
      return parseDomain(bytes);
    case 4:
      return parseAddress(bytes, 16, ipv6FromBytes);
    default:
      return notSupported(`unsupported address type ${type}`);
  }
}

function parseAddress(
  bytes: Uint8Array,
  width: 4 | 16,
  ipFromBytes: (bytes: Uint8Array, at: number) => SocketAddress["ip"],
): Parsed<Socks5Request> {
  const port = portAt(bytes, 4 + width);
  if (port === null) return null;
  return { value: { kind: "address", address: { ip: ipFromBytes(bytes, 4), port } }, length: 4 + width + 2 };
}

/** The name behind its length of one byte. */
function parseDomain(bytes: Uint8Array): Parsed<Socks5Request> {
  const width = bytes[4];
  if (width === undefined) return null;
  const end = 5 + width;
  const port = portAt(bytes, end);
  if (port === null) return null;
  const host = decodeUtf8(bytes.subarray(5, end));
  if (host === null) {
    return notSupported(`domain is not a valid utf8 string: [${[...bytes.subarray(5, end)].join(", ")}]`);
  }
  return { value: { kind: "domain", host, port }, length: end + 2 };
}

function portAt(bytes: Uint8Array, at: number): number | null {
  const high = bytes[at];
  const low = bytes[at + 1];
  return high === undefined || low === undefined ? null : (high << 8) | low;
}

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    // A byte order mark is kept as a part of the name, so that different bytes are different names.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(a.length + b.length);
  whole.set(a);
  whole.set(b, a.length);
  return whole;
}
