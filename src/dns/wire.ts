/** Constants and numbers of DNS messages (RFC 1035, RFC 6891, IANA "DNS Parameters"). */

/** Bytes of a header. */
export const HEADER_LENGTH = 12;
/** Most bytes of a name, with the lengths of its labels and the root (RFC 1035 §2.3.4). */
export const MAX_NAME = 255;
/** Most bytes of a label (RFC 1035 §2.3.4). */
export const MAX_LABEL = 63;
/** Most bytes of a message over TCP, where its length has two bytes. */
export const MAX_MESSAGE = 65_535;
/** The largest payload that a UDP datagram carries over IPv4. */
export const MAX_DATAGRAM = 65_507;

/** Record types. */
export const TYPE_A = 1, TYPE_CNAME = 5, TYPE_SOA = 6, TYPE_PTR = 12, TYPE_SIG = 24, TYPE_AAAA = 28, TYPE_OPT = 41;
/** Record types of signatures and zone transfers. */
export const TYPE_TSIG = 250, TYPE_IXFR = 251, TYPE_AXFR = 252;
/** The Internet class. */
export const CLASS_IN = 1;
/** The opcode of queries. */
export const OPCODE_QUERY = 0;

/** Response codes. */
export const NOERROR = 0, FORMERR = 1, SERVFAIL = 2, NXDOMAIN = 3, NOTIMP = 4, REFUSED = 5;

/** Bits of the second 16-bit word of a header. */
export const QR = 0x8000, AA = 0x0400, TC = 0x0200, RD = 0x0100, RA = 0x0080, CD = 0x0010;
const OPCODE_SHIFT = 11, OPCODE_MASK = 0xf, RCODE_MASK = 0xf;

/** Offsets of the header's words. */
export const FLAGS_AT = 2, QUESTIONS_AT = 4, ANSWERS_AT = 6, AUTHORITIES_AT = 8, ADDITIONALS_AT = 10;

/** Reads 16 bits in network byte order. */
export function word(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** Writes 16 bits in network byte order. */
export function putWord(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value & 255;
}

/** Reads 32 bits, unsigned, in network byte order. */
export function long(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Writes 32 bits in network byte order. */
export function putLong(bytes: Uint8Array, at: number, value: number): void {
  putWord(bytes, at, value >>> 16);
  putWord(bytes, at + 2, value & 0xffff);
}

/** The opcode in the flags of a header. */
export function opcodeOf(flags: number): number {
  return (flags >> OPCODE_SHIFT) & OPCODE_MASK;
}

/** The response code in the flags of a header. */
export function rcodeOf(flags: number): number {
  return flags & RCODE_MASK;
}

const RCODES = ["NoError", "FormErr", "ServFail", "NXDomain", "NotImp", "Refused"];

/** The name of a response code for the log. */
export function rcodeName(rcode: number): string {
  return RCODES[rcode] ?? `response code ${rcode}`;
}

const TYPES: Readonly<Record<number, string>> = {
  1: "A",
  2: "NS",
  5: "CNAME",
  6: "SOA",
  10: "NULL",
  12: "PTR",
  13: "HINFO",
  15: "MX",
  16: "TXT",
  24: "SIG",
  25: "KEY",
  28: "AAAA",
  33: "SRV",
  35: "NAPTR",
  37: "CERT",
  39: "DNAME",
  41: "OPT",
  43: "DS",
  44: "SSHFP",
  46: "RRSIG",
  47: "NSEC",
  48: "DNSKEY",
  50: "NSEC3",
  51: "NSEC3PARAM",
  52: "TLSA",
  53: "SMIMEA",
  59: "CDS",
  60: "CDNSKEY",
  61: "OPENPGPKEY",
  62: "CSYNC",
  64: "SVCB",
  65: "HTTPS",
  250: "TSIG",
  251: "IXFR",
  252: "AXFR",
  255: "ANY",
  257: "CAA",
};

/** `A`, `AAAA` and so on; null for types without a name here, so that metrics have a bounded number of labels. */
export function typeName(type: number): string | null {
  return TYPES[type] ?? null;
}
