/**
 * CIDR blocks and addresses as numbers, for comparisons on the data path.
 *
 * Families never mix: an IPv4 address is in no IPv6 block, also not in an IPv4-mapped one
 * (`docs/spec/xds-state.md` 5.6, X244).
 */
import { type Ip, isIpv4, parseIp } from "../../net/address.ts";

/** Text of a block, `10.0.0.0/24`, host bits kept as they were received. Made only by {@link parseCidr}. */
export type Cidr = string & { readonly _: "Cidr" };

/** An address as signed 32-bit words, first word first; IPv4 has one word. */
export interface IpBits {
  readonly v4: boolean;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

/** The prefix length is a canonical decimal within the family's range. Null where `text` is no such block. */
export function parseCidr(text: string): Cidr | null {
  const slash = text.indexOf("/");
  if (slash < 0 || !/^(0|[1-9][0-9]{0,2})$/.test(text.slice(slash + 1))) return null;
  const address = text.slice(0, slash);
  if (parseIp(address) === null) return null;
  const bits = Number(text.slice(slash + 1));
  return bits <= (address.includes(":") ? 128 : 32) ? text as Cidr : null;
}

/** The address as words, for {@link CidrRange.contains}. An IPv4-mapped IPv6 address stays IPv6. */
export function ipBits(ip: Ip): IpBits {
  return isIpv4(ip) ? { v4: true, a: ipv4Word(ip, 0), b: 0, c: 0, d: 0 } : ipv6Bits(ip);
}

function ipv4Word(text: string, from: number): number {
  let word = 0;
  let octet = 0;
  for (let i = from; i < text.length; i++) {
    const digit = text.charCodeAt(i);
    if (digit === 46) {
      word = (word << 8) | octet;
      octet = 0;
    } else {
      octet = octet * 10 + digit - 48;
    }
  }
  return (word << 8) | octet;
}

/** Reads well-formed text only: hexadecimal groups, at most one `::`, perhaps an IPv4 tail. */
function ipv6Bits(ip: string): IpBits {
  const groups = [0, 0, 0, 0, 0, 0, 0, 0];
  const gap = ip.indexOf("::");
  const head = gap < 0 ? ip : ip.slice(0, gap);
  readGroups(head, groups, 0);
  if (gap >= 0) {
    const tail: number[] = [];
    readGroups(ip.slice(gap + 2), tail, 0);
    for (let i = 0; i < tail.length; i++) groups[8 - tail.length + i] = tail[i]!;
  }
  const word = (i: number) => (groups[i]! << 16) | groups[i + 1]!;
  return { v4: false, a: word(0), b: word(2), c: word(4), d: word(6) };
}

function readGroups(text: string, into: number[], at: number): void {
  if (text === "") return;
  for (const part of text.split(":")) {
    if (part.includes(".")) {
      const word = ipv4Word(part, 0);
      into[at++] = word >>> 16;
      into[at++] = word & 0xffff;
    } else {
      into[at++] = parseInt(part, 16);
    }
  }
}

/** A block, prepared for comparison with addresses. */
export class CidrRange {
  readonly v4: boolean;
  readonly length: number;
  readonly #network: IpBits;
  readonly #masks: readonly [number, number, number, number];

  constructor(cidr: Cidr) {
    const slash = cidr.indexOf("/");
    this.length = Number(cidr.slice(slash + 1));
    this.v4 = !cidr.includes(":");
    this.#masks = masksOf(this.length);
    // Not through parseIp: that would turn an IPv4-mapped block into an IPv4 one.
    this.#network = masked(ipBits(cidr.slice(0, slash) as Ip), this.#masks);
  }

  /** Whether the block contains `ip`. An address of the other family is never contained. */
  contains(ip: IpBits): boolean {
    const network = this.#network;
    const [a, b, c, d] = this.#masks;
    return ip.v4 === this.v4 && (ip.a & a) === network.a && (ip.b & b) === network.b && (ip.c & c) === network.c &&
      (ip.d & d) === network.d;
  }

  /**
   * Equal for blocks of one family and length that cover the same addresses: {@link maskedKey} of any address in it.
   */
  get key(): string {
    return maskedKey(this.#network, this.length);
  }
}

/** The address with all bits after the first `length` cleared, as a map key. */
export function maskedKey(ip: IpBits, length: number): string {
  const { a, b, c, d } = masked(ip, masksOf(length));
  return ip.v4 ? `${a}` : `${a},${b},${c},${d}`;
}

function masked(ip: IpBits, masks: readonly [number, number, number, number]): IpBits {
  return { v4: ip.v4, a: ip.a & masks[0], b: ip.b & masks[1], c: ip.c & masks[2], d: ip.d & masks[3] };
}

function masksOf(length: number): readonly [number, number, number, number] {
  return [mask(length), mask(length - 32), mask(length - 64), mask(length - 96)];
}

function mask(bits: number): number {
  // In JavaScript a shift by 32 is a shift by 0.
  return bits <= 0 ? 0 : bits >= 32 ? -1 : -1 << (32 - bits);
}
