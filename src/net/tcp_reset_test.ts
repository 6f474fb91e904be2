import { strict as assert } from "node:assert";
import { parseSocketAddress, type SocketAddress } from "./address.ts";
import { resetSegment } from "./tcp_reset.ts";

function at(text: string): SocketAddress {
  const address = parseSocketAddress(text);
  assert.ok(address !== null, text);
  return address;
}

/** The one's complement sum of 16-bit words (RFC 1071). */
function sumOf(bytes: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += bytes[i]! * 256 + bytes[i + 1]!;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

Deno.test("reset segment: header of RFC 9293 with a checksum over the addresses", () => {
  const bytes = resetSegment(at("10.1.0.2:7000"), at("10.200.0.9:51480"), 0x5f108872, 0xfedcba98);
  assert.deepEqual([...bytes.subarray(0, 16)], [
    ...[0x1b, 0x58, 0xc9, 0x18],
    ...[0x5f, 0x10, 0x88, 0x72],
    ...[0xfe, 0xdc, 0xba, 0x98],
    ...[0x50, 0x14, 0, 0],
  ]);
  assert.equal(sumOf([10, 1, 0, 2, 10, 200, 0, 9, 0, 6, 0, 20, ...bytes]), 0xffff);
});

Deno.test("reset segment: the pseudo header of IPv6", () => {
  const bytes = resetSegment(at("[fd01::2]:80"), at("[fd20::9]:40000"), 1, 2);
  const pseudo = [0xfd, 0x01, ...new Array(13).fill(0), 2, 0xfd, 0x20, ...new Array(13).fill(0), 9, 0, 20, 0, 6];
  assert.equal(sumOf([...pseudo, ...bytes]), 0xffff);
});
