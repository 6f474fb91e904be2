/** Checks header lists as messages (RFC 9113 §8.1.1, §8.3, §8.5). `hpack/field_rules.ts` checks single fields. */
import type { HeaderList } from "./seam.ts";

/** Why a message is malformed, for the log; contains no text of the peer. */
type MessageFlaw = string;

/** The characters of an authority: user information, host and port (RFC 3986 §3.2). */
const AUTHORITY = /^[A-Za-z0-9\-._~!$&'()*+,;=:@[\]%]+$/;
/** RFC 9110 §5.6.2 token. */
const METHOD = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/;

const PSEUDO = 0x3a;

// Loops by index: before they are compiled, and they are not for the first thousands of requests, an iteration with
// destructuring makes objects of a hundred bytes for each field.

/** Checks the pseudo headers of a request. Returns what is wrong with them, or null. */
export function flawInRequest(headers: HeaderList): MessageFlaw | null {
  let method: string | null = null, scheme: string | null = null;
  let path: string | null = null, authority: string | null = null;
  let regular = false;
  for (let i = 0; i < headers.length; i++) {
    const name = headers[i]![0], value = headers[i]![1];
    if (name.charCodeAt(0) !== PSEUDO) {
      regular = true;
      continue;
    }
    if (regular) return "pseudo header behind a regular one";
    switch (name) {
      case ":method":
        if (method !== null) return "two :method";
        method = value;
        break;
      case ":scheme":
        if (scheme !== null) return "two :scheme";
        scheme = value;
        break;
      case ":path":
        if (path !== null) return "two :path";
        path = value;
        break;
      case ":authority":
        if (authority !== null) return "two :authority";
        authority = value;
        break;
      default:
        return "unknown pseudo header in a request";
    }
  }
  if (method === null || (method !== "CONNECT" && !METHOD.test(method))) return "no valid :method";
  if (authority !== null && !AUTHORITY.test(authority)) return "no valid :authority";
  if (method === "CONNECT") {
    if (scheme !== null || path !== null) return "CONNECT with :scheme or :path";
    return authority === null ? "CONNECT without :authority" : null;
  }
  if (scheme === null || scheme === "") return "no :scheme";
  return path === null || path === "" ? "no :path" : null;
}

/** Returns the status of a response, or what is wrong with its header list. */
export function statusOf(headers: HeaderList): number | MessageFlaw {
  let status: string | null = null;
  let regular = false;
  for (let i = 0; i < headers.length; i++) {
    const name = headers[i]![0], value = headers[i]![1];
    if (name.charCodeAt(0) !== PSEUDO) regular = true;
    else if (regular) return "pseudo header behind a regular one";
    else if (name !== ":status") return "unknown pseudo header in a response";
    else if (status !== null) return "two :status";
    else status = value;
  }
  if (status === "200") return 200;
  if (status === null || !/^[1-9][0-9][0-9]$/.test(status)) return "no valid :status";
  return Number(status);
}

/** Trailers must not contain pseudo headers (RFC 9113 §8.1). Returns what is wrong, or null. */
export function flawInTrailers(headers: HeaderList): MessageFlaw | null {
  for (const [name] of headers) if (name.charCodeAt(0) === PSEUDO) return "pseudo header in trailers";
  return null;
}

/**
 * Returns the body length that a request announces; -1: none announced; or what is wrong with it. A malformed or
 * repeated length fails every request: other proxies on the path might read it differently (RFC 9110 §8.6).
 */
export function announcedLength(headers: HeaderList): number | MessageFlaw {
  let announced = -1, connect = false;
  for (let i = 0; i < headers.length; i++) {
    const name = headers[i]![0], value = headers[i]![1];
    if (name === ":method") connect = value === "CONNECT";
    if (name !== "content-length") continue;
    if (!/^[0-9]{1,15}$/.test(value)) return "no valid content-length";
    if (announced >= 0) return "two of content-length";
    announced = Number(value);
  }
  // A CONNECT has no content (RFC 9110 §9.3.6): the bytes that follow belong to the tunnel.
  return connect ? -1 : announced;
}
