import { strict as assert } from "node:assert";
import { controlPlaneUri } from "./uri.ts";

const KEPT = [
  "unix:///run/spire/sockets/agent.sock",
  "unix:/run/sockets/agent.sock",
  "https://istiod:15012",
  "http://localhost:15012",
];
for (const uri of KEPT) {
  Deno.test(`config 9.1, identity A23: validate_uri keeps ${uri}`, () => assert.equal(controlPlaneUri(uri), uri));
}

Deno.test("config 9.1, identity A20: validate_uri adds the scheme", () => {
  assert.equal(controlPlaneUri("istiod:15012"), "https://istiod:15012");
  assert.equal(controlPlaneUri("istiod.istio-system.svc"), "https://istiod.istio-system.svc");
});

Deno.test("config 9.1 validate_uri none", () => {
  assert.equal(controlPlaneUri(null), null);
  assert.equal(controlPlaneUri(""), null);
});

const UNIX = "error parsing proxy config: unix URI must include an absolute socket path (e.g., unix:///run/sock)";
const REFUSED: readonly (readonly [string, string])[] = [
  ["unix://run/x", UNIX],
  ["unix:", UNIX],
  ["unix:relative", UNIX],
  ["unix://", UNIX],
  ["unix:///", UNIX],
  ["ftp://example.com", "error parsing proxy config: unsupported URI scheme: ftp"],
  ["a b", "invalid uri: invalid uri character"],
  ["http://[", "invalid uri: invalid authority"],
];
for (const [uri, message] of REFUSED) {
  Deno.test(`config 9.1, identity A21 A22: validate_uri refuses ${uri}`, () =>
    assert.throws(() => controlPlaneUri(uri), { message }));
}
