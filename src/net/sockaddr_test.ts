import { strict as assert } from "node:assert";
import fc from "fast-check";
import { AF_INET, AF_INET6 } from "../os/constants.ts";
import { ipv4FromBytes, ipv6FromBytes, type SocketAddress } from "./address.ts";
import { decodeSockaddr, encodeSockaddr, familyOf, SOCKADDR_LENGTH } from "./sockaddr.ts";

const port = fc.nat(65_535);
const v4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => ipv4FromBytes(bytes));
const v6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => ipv6FromBytes(bytes));
const address = fc.tuple(fc.oneof(v4, v6), port).map(([ip, port]): SocketAddress => ({ ip, port }));

Deno.test("inpod C1: sockaddr_in and sockaddr_in6 have these bytes", () => {
  const four = { ip: ipv4FromBytes(Uint8Array.of(10, 0, 0, 1)), port: 15008 };
  assert.deepEqual(encodeSockaddr(four), Uint8Array.of(AF_INET, 0, 0x3a, 0xa0, 10, 0, 0, 1, ...new Uint8Array(8)));
  const six = { ip: ipv6FromBytes(Uint8Array.of(...new Uint8Array(15), 1)), port: 53 };
  const bytes = encodeSockaddr(six);
  assert.equal(bytes.length, SOCKADDR_LENGTH);
  assert.deepEqual(bytes.subarray(0, 8), Uint8Array.of(AF_INET6, 0, 0, 53, 0, 0, 0, 0));
  assert.deepEqual(bytes.subarray(8), Uint8Array.of(...new Uint8Array(15), 1, 0, 0, 0, 0));
});

Deno.test("an IPv4 address for an IPv6 socket is encoded in its mapped form, and decoded as IPv4", () => {
  fc.assert(fc.property(v4, port, (ip, port) => {
    const bytes = encodeSockaddr({ ip, port }, AF_INET6);
    assert.deepEqual(bytes.subarray(16, 20), Uint8Array.of(0, 0, 0xff, 0xff));
    assert.deepEqual(decodeSockaddr(bytes), { ip, port });
  }));
});

Deno.test("each address is decoded as it was encoded", () => {
  fc.assert(fc.property(address, (one) => {
    assert.deepEqual(decodeSockaddr(encodeSockaddr(one)), one);
    assert.equal(encodeSockaddr(one)[0], familyOf(one.ip));
  }));
});

Deno.test("decoding never throws", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: SOCKADDR_LENGTH, maxLength: 128 }), (bytes) => {
    const { port } = decodeSockaddr(bytes);
    assert.ok(port >= 0 && port <= 65_535);
  }));
});
