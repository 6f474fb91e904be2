import { strict as assert } from "node:assert";
import fc from "fast-check";
import {
  formatAddress,
  type Ip,
  ipToBytes,
  ipv4FromBytes,
  ipv6FromBytes,
  isIpv4,
  isLoopback,
  parseIp,
  parsePort,
  parseSocketAddress,
  sameAddress,
} from "./address.ts";

Deno.test("address: texts have a canonical form (dataplane 0)", () => {
  const cases: [text: string, canonical: string][] = [
    ["10.0.0.1", "10.0.0.1"],
    ["0.0.0.0", "0.0.0.0"],
    ["255.255.255.255", "255.255.255.255"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["::FFFF:a00:1", "10.0.0.1"],
    ["0:0:0:0:0:ffff:10.0.0.1", "10.0.0.1"],
    ["::", "::"],
    ["::1", "::1"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["2001:DB8::00ff", "2001:db8::ff"],
    // RFC 5952 §4.2: the longest run, the first of equal ones, never a single group.
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["1:0:0:0:0:0:0:0", "1::"],
    ["64:ff9b::1.2.3.4", "64:ff9b::102:304"],
    ["::ffff:0:10.0.0.1", "::ffff:0:a00:1"],
  ];
  for (const [text, canonical] of cases) assert.equal(parseIp(text), canonical, text);
});

Deno.test("address: texts that are not IP addresses are refused", () => {
  const cases = [
    ..."|10|10.0|10.0.0|10.0.0.0.1|10.0.0.256|010.0.0.1|0x0a.0.0.1|167772161| 10.0.0.1|10.0.0.1 |10.0.0.-1|10.0.0.1/8"
      .split("|"),
    ..."1::2::3|:::|1:2:3:4:5:6:7|1:2:3:4:5:6:7:8:9|12345::|g::|fe80::1%eth0|[::1]|::1/64| ::1|:1|1:".split("|"),
    "localhost",
    ..."::127.0.0.1|0:0:0:0:0:0:127.0.0.1|::ffff:0x7f.0.0.1|::ffff:0127.0.0.1|::ffff:1.2.3|::ffff:1.2.3.4:5".split("|"),
    "10.0.0.1:80",
    "١.١.١.١",
  ];
  for (const text of cases) assert.equal(parseIp(text), null, JSON.stringify(text));
});

const octets = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

Deno.test("address: bytes become canonical text, and the text becomes the same bytes", () => {
  fc.assert(fc.property(octets(4), (bytes) => {
    const ip = ipv4FromBytes(bytes);
    assert.deepEqual(ipToBytes(ip), bytes);
    assert.equal(parseIp(ip), ip);
  }));
  fc.assert(fc.property(fc.array(fc.constantFrom(0, 0, 1, 255), { minLength: 16, maxLength: 16 }), (values) => {
    const bytes = Uint8Array.from(values);
    const ip = ipv6FromBytes(bytes);
    assert.equal(parseIp(ip), ip);
    if (!isIpv4(ip)) assert.deepEqual(ipToBytes(ip), bytes);
  }));
});

Deno.test("address: mapped bytes are IPv4, at any offset", () => {
  const mapped = Uint8Array.of(7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1, 7);
  assert.equal(ipv6FromBytes(mapped, 1), "10.0.0.1");
  assert.equal(ipv4FromBytes(mapped, 13), "10.0.0.1");
  assert.deepEqual(ipToBytes("::1" as Ip), Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1));
});

Deno.test("address: loopback is 127.0.0.0/8 and ::1", () => {
  for (const ip of ["127.0.0.1", "127.255.255.255", "::1"]) assert.ok(isLoopback(ip as Ip), ip);
  for (const ip of ["10.0.0.1", "12.7.0.1", "::", "::127"]) assert.ok(!isLoopback(ip as Ip), ip);
});

Deno.test("address: socket addresses are parsed and formatted (observed O35: ports are canonical decimals)", () => {
  const cases: [text: string, canonical: string | null][] = [
    ["10.0.0.1:80", "10.0.0.1:80"],
    ["10.0.0.1:0", "10.0.0.1:0"],
    ["[::1]:65535", "[::1]:65535"],
    ["[::ffff:10.0.0.1]:80", "10.0.0.1:80"],
    ["[2001:DB8:0::1]:80", "[2001:db8::1]:80"],
    ["10.0.0.1", null],
    ["10.0.0.1:", null],
    [":80", null],
    ["80", null],
    ["", null],
    ["10.0.0.1:080", null],
    ["10.0.0.1:+80", null],
    ["10.0.0.1:65536", null],
    ["10.0.0.1:80 ", null],
    ["10.0.0.1:8_0", null],
    ["10.0.0.1:1e2", null],
    ["::1:80", null],
    ["[10.0.0.1]:80", null],
    ["[::1]80", null],
    ["[::1:80", null],
    ["::1]:80", null],
    ["[fe80::1%eth0]:80", null],
    ["host:80", null],
  ];
  for (const [text, canonical] of cases) {
    const address = parseSocketAddress(text);
    assert.equal(address === null ? null : formatAddress(address), canonical, JSON.stringify(text));
  }
});

Deno.test("address: ports are decimals from 0 to 65535", () => {
  for (const [text, port] of [["0", 0], ["1", 1], ["65535", 65535]] as const) assert.equal(parsePort(text), port);
  for (const text of ["", "00", "01", "-1", "65536", "99999", "100000", "1.0", "0x10", " 1", "1\n", "٣"]) {
    assert.equal(parsePort(text), null, JSON.stringify(text));
  }
});

Deno.test("address: equal addresses are the same, whatever text they came from", () => {
  const one = parseSocketAddress("[::ffff:10.0.0.1]:80")!;
  assert.ok(sameAddress(one, parseSocketAddress("10.0.0.1:80")!));
  assert.ok(!sameAddress(one, parseSocketAddress("10.0.0.1:81")!));
  assert.ok(!sameAddress(one, parseSocketAddress("10.0.0.2:80")!));
});

Deno.test("address: parsers never throw, and parsing their result again does not change it", () => {
  const text = fc.oneof(
    fc.string({ maxLength: 60 }),
    fc.string({ unit: fc.constantFrom(..."0123456789abcdef:.[]%"), maxLength: 50 }),
    fc.ipV4(),
    fc.ipV6(),
    fc.tuple(fc.ipV6(), fc.nat(70_000)).map(([ip, port]) => `[${ip}]:${port}`),
  );
  fc.assert(
    fc.property(text, (text) => {
      const ip = parseIp(text);
      if (ip !== null) assert.equal(parseIp(ip), ip);
      const address = parseSocketAddress(text);
      if (address !== null) assert.deepEqual(parseSocketAddress(formatAddress(address)), address);
    }),
    { numRuns: 2000 },
  );
});
