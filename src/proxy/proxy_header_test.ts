import { strict as assert } from "node:assert";
import { parseSocketAddress, type SocketAddress } from "../net/address.ts";
import { proxyHeader } from "./proxy_header.ts";

function at(text: string): SocketAddress {
  return parseSocketAddress(text)!;
}

const CLIENT = "spiffe://cluster.local/ns/default/sa/client";
const SIGNATURE = "0d0a0d0a000d0a515549540a";

const VECTORS: readonly [id: string, from: string, to: string, identity: string | null, hex: string][] = [
  [
    "HD-19",
    "10.0.0.1:1234",
    "10.0.0.2:8080",
    CLIENT,
    `${SIGNATURE}2111003a0a0000010a00000204d21f90d0002b${new TextEncoder().encode(CLIENT).toHex()}`,
  ],
  ["HD-20", "10.0.0.1:1234", "10.0.0.2:8080", null, `${SIGNATURE}2111000c0a0000010a00000204d21f90`],
  [
    "2.5 IPv6",
    "[2001:db8::1]:1",
    "[::1]:65535",
    null,
    `${SIGNATURE}21210024${"20010db8000000000000000000000001"}${"0".repeat(31)}10001ffff`,
  ],
  [
    "2.5 families that differ",
    "10.0.0.1:1",
    "[::1]:2",
    "spiffe://t/x",
    `${SIGNATURE}2101000fd0000c7370696666653a2f2f742f78`,
  ],
];

for (const [id, from, to, identity, hex] of VECTORS) {
  Deno.test(`dataplane ${id} PROXY header`, () => {
    assert.equal(proxyHeader(at(from), at(to), identity).toHex(), hex);
  });
}

Deno.test("dataplane HD-19 HD-20 lengths", () => {
  assert.equal(proxyHeader(at("10.0.0.1:1234"), at("10.0.0.2:8080"), CLIENT).length, 74);
  assert.equal(proxyHeader(at("10.0.0.1:1234"), at("10.0.0.2:8080"), null).length, 28);
});
