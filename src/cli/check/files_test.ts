import { strict as assert } from "node:assert";
import { configOf, lines, machine, NOW } from "../testkit/machine.ts";
import { checkFiles } from "./files.ts";
import { tokenTimes } from "./token_times.ts";

const TOKEN = "./var/run/secrets/tokens/istio-token";

/** A JWT of which only the claims matter. */
function jwt(claims: unknown): string {
  return `e30.${btoa(JSON.stringify(claims)).replaceAll("=", "")}.c2ln`;
}

const TOKENS: readonly (readonly [what: string, text: string | null, found: RegExp])[] = [
  ["missing", null, /^problem token: AUTH_TOKEN is not set and .* does not exist: .*cure: mount a token/],
  ["empty", " \n", /^problem token: .*istio-token is empty; cure/],
  ["opaque", "abc", /^ok token: .* can be read$/],
  ["valid", jwt({ exp: NOW / 1000 + 3600 }), /^ok token: .* is valid until 2026-06-01T01:00:00\.000Z$/],
  ["expired", jwt({ exp: NOW / 1000 - 3600 }), /^problem token: .* has expired at 2026-05-31T23:00:00\.000Z; cure/],
];
for (const [what, text, found] of TOKENS) {
  Deno.test(`check: a token that is ${what}`, () => {
    const texts: Record<string, string> = text === null ? {} : { [TOKEN]: text };
    assert.match(lines(checkFiles(configOf({}, texts), true, machine({}, texts)))[0]!, found);
  });
}

Deno.test("check: a token that cannot be read, and who must be able to", () => {
  const config = configOf({}, { [TOKEN]: "x" });
  const [line = ""] = lines(checkFiles(config, true, machine({ read: () => ({ problem: "Permission denied" }) })));
  assert.match(line, /^problem token: .*: Permission denied; cure: it must be readable for user 1337$/);
});

Deno.test("check: the value of AUTH_TOKEN is never shown, and not needed without istiod", () => {
  const config = configOf({ AUTH_TOKEN: "s3cret" });
  assert.deepEqual(lines(checkFiles(config, true, machine())), ["ok token: the value of AUTH_TOKEN can be read"]);
  assert.deepEqual(checkFiles(config, false, machine()), []);
});

Deno.test("check: what claims of a token mean, whatever they are", () => {
  assert.deepEqual(tokenTimes(jwt({ iat: 10, exp: 20 })), { issued: 10_000, expires: 20_000 });
  for (const text of ["", "a.b", "a..c", jwt(null), jwt([]), jwt({ exp: "x", iat: 1e300 }), "\u0000.\u0100.x"]) {
    assert.deepEqual(tokenTimes(text), { issued: null, expires: null }, text);
  }
});

Deno.test("check: the revocation list and the static mesh", () => {
  const texts = { "/mesh": "workloads: []\npolicies: []", "/bad": "colours: []" };
  const found = (variables: Record<string, string>) =>
    lines(checkFiles(configOf(variables), false, machine({}, texts)));
  assert.match(found({ CRL_PATH: "/crl" })[0]!, /^problem CRL_PATH: \/crl: No such file .*readable for user 1337$/);
  assert.deepEqual(found({ LOCAL_XDS_PATH: "/mesh" }), [
    "ok LOCAL_XDS_PATH: /mesh: 0 workloads, 0 services, 0 policies",
  ]);
  assert.match(found({ LOCAL_XDS_PATH: "/none" })[0]!, /^problem LOCAL_XDS_PATH: \/none: No such file/);
  assert.match(found({ LOCAL_XDS_PATH: "/bad" })[0]!, /^problem LOCAL_XDS_PATH: \/bad:1:1: .*colours.*; cure: /);
});

Deno.test("check: the key of the proxy's own CA is for its owner only", () => {
  const config = configOf({ FAKE_CA: "true", LOCAL_CA_CERT: "/ca.pem", LOCAL_CA_KEY: "/ca.key" });
  const found = (permissions: number | null) =>
    lines(checkFiles(config, false, machine({ permissions: () => permissions })));
  assert.deepEqual(found(null), []);
  assert.deepEqual(found(0o600), ["ok LOCAL_CA_KEY: only its owner can read /ca.key"]);
  assert.match(found(0o644)[0]!, /^problem LOCAL_CA_KEY: other users can read \/ca\.key \(mode 644\).*cure: chmod 600/);
});
