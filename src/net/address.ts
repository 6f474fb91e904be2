/**
 * IP addresses and socket addresses as values.
 *
 * An address is always canonical: IPv4-mapped IPv6 (`::ffff:a.b.c.d`) is IPv4, IPv6 text follows RFC 5952
 * (`docs/spec/dataplane.md` 0, "canonical address"). So two equal addresses are equal strings.
 */
import ipaddr from "ipaddr.js";

/** Canonical text of an IP address. Only the functions of this file make it. */
export type Ip = string & { readonly _: "Ip" };

/** An IP address and a TCP or UDP port (0 to 65535). */
export interface SocketAddress {
  readonly ip: Ip;
  readonly port: number;
}

export const LOOPBACK_V4 = "127.0.0.1" as Ip;
export const LOOPBACK_V6 = "::1" as Ip;
export const ANY_V4 = "0.0.0.0" as Ip;
export const ANY_V6 = "::" as Ip;

const DOT = 46, ZERO = 48, NINE = 57, COLON = 58, LETTER_A = 97;

/** Returns the canonical form of `text`. Null: it is not an IP address, or it has a zone suffix (`%eth0`). */
export function parseIp(text: string): Ip | null {
  if (isIpv4Text(text)) return text as Ip;
  if (text.includes("%")) return null;
  if (!text.includes(":") || !ipaddr.IPv6.isValid(text) || !hasUsualIpv4Part(text)) return null;
  const v6 = ipaddr.IPv6.parse(text);
  return (v6.isIPv4MappedAddress() ? v6.toIPv4Address().toString() : v6.toRFC5952String()) as Ip;
}

/**
 * Whether an IPv6 text has no IPv4 part, or one in the usual IPv4 notation behind `::ffff:` or the like. An IPv4 part right
 * behind the gap, as in `::127.0.0.1`, is a deprecated form (RFC 4291 §2.5.5.1) that some programs treat as the loopback
 * address. The library accepts it, and octal and hexadecimal numbers.
 */
function hasUsualIpv4Part(text: string): boolean {
  if (!text.includes(".")) return true;
  const colon = text.lastIndexOf(":");
  return isIpv4Text(text.slice(colon + 1)) && !/^[0:]+$/.test(text.slice(0, colon + 1));
}

/** Four decimals of 0 to 255 without leading zeros. No regular expression: each request and each dial parses one. */
function isIpv4Text(text: string): boolean {
  let parts = 1, value = 0, digits = 0;
  if (text.length > 15) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      if (digits === 0 || ++parts > 4) return false;
      value = digits = 0;
    } else {
      if (code < ZERO || code > NINE || (digits > 0 && value === 0)) return false;
      value = value * 10 + code - ZERO;
      digits++;
      if (value > 255) return false;
    }
  }
  return parts === 4 && digits > 0;
}

/** Writes the four bytes of a canonical IPv4 address. */
export function putIpv4(ip: Ip, into: Uint8Array, at: number): void {
  let value = 0;
  for (let i = 0; i < ip.length; i++) {
    const code = ip.charCodeAt(i);
    if (code === DOT) {
      into[at++] = value;
      value = 0;
    } else value = value * 10 + code - ZERO;
  }
  into[at] = value;
}

/** Writes the sixteen bytes of a canonical IPv6 address. */
export function putIpv6(ip: Ip, into: Uint8Array, at: number): void {
  into.fill(0, at, at + 16);
  const gap = ip.indexOf("::");
  if (gap < 0) return putGroups(ip, 0, ip.length, into, at);
  putGroups(ip, 0, gap, into, at);
  // The groups behind the gap are the last ones.
  let groups = gap + 2 < ip.length ? 1 : 0;
  for (let i = gap + 2; i < ip.length; i++) if (ip.charCodeAt(i) === COLON) groups++;
  putGroups(ip, gap + 2, ip.length, into, at + 16 - 2 * groups);
}

/** Hexadecimal groups between `start` and `end`, with single colons between them. */
function putGroups(ip: Ip, start: number, end: number, into: Uint8Array, at: number): void {
  if (start === end) return;
  let value = 0;
  for (let i = start; i <= end; i++) {
    const code = i < end ? ip.charCodeAt(i) : COLON;
    if (code !== COLON) value = value * 16 + (code <= NINE ? code - ZERO : code - LETTER_A + 10);
    else {
      into[at++] = value >> 8;
      into[at++] = value & 255;
      value = 0;
    }
  }
}

/** IPv4 addresses that were converted lately, by a hash: the pods of a node connect from and to the same few. */
const recentIps: Ip[] = new Array(256).fill("0.0.0.0");
const recentNumbers = new Int32Array(256);

/** Returns the text of four bytes in network order. */
export function ipv4FromBytes(bytes: Uint8Array, at = 0): Ip {
  const number = bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!;
  const slot = Math.imul(number, 0x9e3779b1) >>> 24;
  if (recentNumbers[slot] === number) return recentIps[slot]!;
  recentNumbers[slot] = number;
  return recentIps[slot] = `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}` as Ip;
}

/** Returns the canonical text of sixteen bytes in network order; an IPv4-mapped address becomes IPv4. */
export function ipv6FromBytes(bytes: Uint8Array, at = 0): Ip {
  if (isMapped(bytes, at)) return ipv4FromBytes(bytes, at + 12);
  return new ipaddr.IPv6([...bytes.subarray(at, at + 16)]).toRFC5952String() as Ip;
}

function isMapped(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 10; i++) if (bytes[at + i] !== 0) return false;
  return bytes[at + 10] === 0xff && bytes[at + 11] === 0xff;
}

/** Returns the 4 or 16 bytes of an address in network order. */
export function ipToBytes(ip: Ip): Uint8Array {
  const v4 = isIpv4(ip);
  const bytes = new Uint8Array(v4 ? 4 : 16);
  if (v4) putIpv4(ip, bytes, 0);
  else putIpv6(ip, bytes, 0);
  return bytes;
}

/** Whether an address is IPv4. */
export function isIpv4(ip: Ip): boolean {
  return !ip.includes(":");
}

/** Whether an address is in 127.0.0.0/8, or ::1. */
export function isLoopback(ip: Ip): boolean {
  return ip.startsWith("127.") || ip === LOOPBACK_V6;
}

/** Whether an address is in 169.254.0.0/16 or fe80::/10. */
export function isLinkLocal(ip: Ip): boolean {
  return isIpv4(ip) ? ip.startsWith("169.254.") : /^fe[89ab]/.test(ip);
}

/** Returns `10.0.0.1:80` or `[::1]:80`. */
export function formatAddress(address: SocketAddress): string {
  return isIpv4(address.ip) ? `${address.ip}:${address.port}` : `[${address.ip}]:${address.port}`;
}

/**
 * Parses `10.0.0.1:80` or `[::1]:80`. The port is a canonical decimal (no sign, no leading zero), 0 to 65535
 * (`docs/spec/observed.md` O35). Null: the text is anything else.
 */
export function parseSocketAddress(text: string): SocketAddress | null {
  const colon = text.lastIndexOf(":");
  const port = parsePort(text.slice(colon + 1));
  if (colon < 1 || port === null) return null;
  const host = text.slice(0, colon);
  const bracketed = host.startsWith("[") && host.endsWith("]");
  const ip = parseIp(bracketed ? host.slice(1, -1) : host);
  if (ip === null || bracketed !== host.includes(":")) return null;
  return { ip, port };
}

/** Parses a canonical decimal port, 0 to 65535. Null: the text is anything else. */
export function parsePort(text: string): number | null {
  if (text.length === 0 || text.length > 5 || (text.length > 1 && text.charCodeAt(0) === ZERO)) return null;
  let port = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - ZERO;
    if (digit < 0 || digit > 9) return null;
    port = port * 10 + digit;
  }
  return port <= 65535 ? port : null;
}

/** Whether two socket addresses are equal. */
export function sameAddress(a: SocketAddress, b: SocketAddress): boolean {
  return a.port === b.port && a.ip === b.ip;
}
