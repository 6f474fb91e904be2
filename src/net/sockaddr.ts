/** `struct sockaddr_in` and `sockaddr_in6` as bytes (`docs/spec/inpod-dns.md` C1). */
import { AF_INET, AF_INET6 } from "../os/constants.ts";
import { type Ip, ipToBytes, ipv4FromBytes, ipv6FromBytes, isIpv4, type SocketAddress } from "./address.ts";

/** Large enough for both families. */
export const SOCKADDR_LENGTH = 28;

export function familyOf(ip: Ip): number {
  return isIpv4(ip) ? AF_INET : AF_INET6;
}

/** The address as the kernel wants it. `family` AF_INET6 with an IPv4 address gives the mapped form. */
export function encodeSockaddr(address: SocketAddress, family = familyOf(address.ip)): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(family === AF_INET ? 16 : SOCKADDR_LENGTH);
  bytes[0] = family;
  bytes[2] = address.port >> 8;
  bytes[3] = address.port & 255;
  const ip = ipToBytes(address.ip);
  if (family === AF_INET) bytes.set(ip, 4);
  else if (ip.length === 16) bytes.set(ip, 8);
  else {
    bytes[18] = bytes[19] = 0xff;
    bytes.set(ip, 20);
  }
  return bytes;
}

/** Canonical: a mapped IPv4 address comes back as IPv4. */
export function decodeSockaddr(bytes: Uint8Array): SocketAddress {
  const port = (bytes[2]! << 8) | bytes[3]!;
  return { ip: bytes[0] === AF_INET6 ? ipv6FromBytes(bytes, 8) : ipv4FromBytes(bytes, 4), port };
}
