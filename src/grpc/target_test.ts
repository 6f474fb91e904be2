import assert from "node:assert/strict";
import { endpointText, parseTarget } from "./target.ts";

const targets: readonly [text: string, endpoint: string, authority: string, tls: boolean][] = [
  ["https://istiod.istio-system.svc:15012", "istiod.istio-system.svc:15012", "istiod.istio-system.svc:15012", true],
  ["https://localhost", "localhost:443", "localhost:443", true],
  ["http://localhost", "localhost:80", "localhost:80", false],
  ["https://10.0.0.1:15012", "10.0.0.1:15012", "10.0.0.1:15012", true],
  ["https://[fd00::1]:15012", "[fd00::1]:15012", "[fd00::1]:15012", true],
  ["https://istiod:15012/path?query", "istiod:15012", "istiod:15012", true],
  ["HTTPS://ISTIOD:15012", "istiod:15012", "istiod:15012", true],
  ["unix:///run/xds.sock", "/run/xds.sock", "localhost", false],
  ["unix:/run/xds.sock", "/run/xds.sock", "localhost", false],
];

for (const [text, endpoint, authority, tls] of targets) {
  Deno.test(`target ${text}`, () => {
    const target = parseTarget(text);
    assert.ok(target !== null);
    assert.deepEqual([endpointText(target.endpoint), target.authority, target.tls], [endpoint, authority, tls]);
  });
}

for (
  const text of [
    "",
    "istiod:15012",
    "ftp://istiod",
    "unix:relative",
    "unix://relative/path",
    "https://",
    "unix:///a\0b",
  ]
) {
  Deno.test(`invalid target: ${JSON.stringify(text)}`, () => assert.equal(parseTarget(text), null));
}

Deno.test("target: addresses are distinguished from names", () => {
  const ipOf = (text: string) => {
    const endpoint = parseTarget(text)!.endpoint;
    return endpoint.kind === "tcp" ? endpoint.ip : null;
  };
  assert.equal(ipOf("https://10.0.0.1:1"), "10.0.0.1");
  assert.equal(ipOf("https://[FD00:0::1]:1"), "fd00::1");
  assert.equal(ipOf("https://host:1"), null);
});
