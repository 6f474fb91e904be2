/** PROXY protocol version 2, towards a waypoint's application tunnel (`docs/spec/dataplane.md` 2.5). */
import { ipToBytes, type SocketAddress } from "../net/address.ts";

const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
const VERSION_2_PROXY = 0x21;
const TCP_OVER_IPV4 = 0x11, TCP_OVER_IPV6 = 0x21, UNSPECIFIED = 0x01;
const TLV_IDENTITY = 0xd0;

/** The header. `identity`: the peer's SPIFFE id, sent as a TLV of type 0xD0; null: no TLV. */
export function proxyHeader(source: SocketAddress, target: SocketAddress, identity: string | null): Uint8Array {
  const from = ipToBytes(source.ip), to = ipToBytes(target.ip);
  const same = from.length === to.length;
  const addresses = same ? [...from, ...to, ...uint16(source.port), ...uint16(target.port)] : [];
  const family = !same ? UNSPECIFIED : from.length === 4 ? TCP_OVER_IPV4 : TCP_OVER_IPV6;
  const id = identity === null ? [] : [...new TextEncoder().encode(identity)];
  const tlv = identity === null ? [] : [TLV_IDENTITY, ...uint16(id.length), ...id];
  const length = uint16(addresses.length + tlv.length);
  return Uint8Array.from([...SIGNATURE, VERSION_2_PROXY, family, ...length, ...addresses, ...tlv]);
}

function uint16(value: number): [number, number] {
  return [value >> 8, value & 255];
}
