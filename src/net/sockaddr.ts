/** `struct sockaddr_in` and `sockaddr_in6` as bytes (`docs/spec/inpod-dns.md` C1). */
import { AF_INET, AF_INET6 } from "../os/constants.ts";
import { type Ip, ipv4FromBytes, ipv6FromBytes, isIpv4, putIpv4, putIpv6, type SocketAddress } from "./address.ts";

/** Bytes that both families fit into. */
export const SOCKADDR_LENGTH = 28;

/** AF_INET or AF_INET6. */
export function familyOf(ip: Ip): number {
  return isIpv4(ip) ? AF_INET : AF_INET6;
}

const inet4 = new Uint8Array(16);
const inet6 = new Uint8Array(SOCKADDR_LENGTH);

/**
 * Returns the bytes of an address, valid until the next call. With `family` AF_INET6 an IPv4 address is encoded in its
 * mapped form.
 */
export function encodeSockaddr(address: SocketAddress, family = familyOf(address.ip)): Uint8Array<ArrayBuffer> {
  const bytes = family === AF_INET ? inet4 : inet6;
  bytes[0] = family;
  bytes[2] = address.port >> 8;
  bytes[3] = address.port & 255;
  if (family === AF_INET) putIpv4(address.ip, bytes, 4);
  else if (isIpv4(address.ip)) {
    bytes.fill(0, 8, 18).fill(0xff, 18, 20);
    putIpv4(address.ip, bytes, 20);
  } else putIpv6(address.ip, bytes, 8);
  return bytes;
}

/** Returns the canonical address; a mapped IPv4 address becomes IPv4. */
export function decodeSockaddr(bytes: Uint8Array): SocketAddress {
  const port = (bytes[2]! << 8) | bytes[3]!;
  return { ip: bytes[0] === AF_INET6 ? ipv6FromBytes(bytes, 8) : ipv4FromBytes(bytes, 4), port };
}
