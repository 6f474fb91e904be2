import { strict as assert } from "node:assert";
import fc from "fast-check";
import { ipToBytes, ipv4FromBytes, ipv6FromBytes } from "../../net/address.ts";
import { CidrRange, ipBits, maskedKey, parseCidr } from "./cidr.ts";
import { ip } from "../testkit/fixture.ts";

Deno.test("xds 1.8: which texts are valid blocks", () => {
  for (const good of ["10.0.0.0/24", "10.0.0.5/24", "0.0.0.0/0", "1.2.3.4/32", "fd00::/112", "::ffff:1.2.3.4/128"]) {
    assert.equal(parseCidr(good), good);
  }
  for (
    const bad of ["10.0.0.0", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/08", "/8", "x"]
  ) {
    assert.equal(parseCidr(bad), null, bad);
  }
});

Deno.test("xds 5.6: which addresses a block contains", () => {
  const contains = (block: string, address: string) => new CidrRange(parseCidr(block)!).contains(ipBits(ip(address)));
  for (
    const [block, address, expected] of [
      ["127.0.0.1/24", "127.0.0.200", true],
      ["127.0.0.1/24", "127.0.1.0", false],
      ["0.0.0.0/0", "255.255.255.255", true],
      ["0.0.0.0/0", "::1", false],
      ["255.255.255.255/32", "255.255.255.255", true],
      ["128.0.0.0/1", "127.255.255.255", false],
      ["::/0", "10.0.0.1", false],
      ["::ffff:10.0.0.1/128", "10.0.0.1", false],
      ["fd00::/64", "fd00::ffff:ffff:ffff:ffff", true],
      ["fd00::/64", "fd00:0:0:1::", false],
      ["2001:db8::/33", "2001:db8:7fff::", true],
      ["2001:db8::/33", "2001:db8:8000::", false],
    ] as const
  ) assert.equal(contains(block, address), expected, `${block} ${address}`);
});

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

Deno.test("the words of any address equal its bytes", () => {
  fc.assert(
    fc.property(fc.oneof(bytes(4).map((b) => ipv4FromBytes(b)), bytes(16).map((b) => ipv6FromBytes(b))), (any) => {
      const raw = ipToBytes(any);
      const view = new DataView(raw.buffer);
      const bits = ipBits(any);
      const words = [bits.a, bits.b, bits.c, bits.d].slice(0, raw.length / 4);
      assert.deepEqual(words, words.map((_, i) => view.getInt32(i * 4)), any);
    }),
  );
});

Deno.test("the block of any prefix of an address contains the address and has the same key", () => {
  fc.assert(fc.property(bytes(16), fc.nat(128), (raw, length) => {
    const address = ipv6FromBytes(raw);
    const block = new CidrRange(parseCidr(`${address}/${address.includes(":") ? length : length % 33}`)!);
    assert.ok(block.contains(ipBits(address)));
    assert.equal(block.key, maskedKey(ipBits(address), block.length));
  }));
});
