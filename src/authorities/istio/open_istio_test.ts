import { strict as assert } from "node:assert";
import { parseConfig } from "../../config/parse_config.ts";
import { SYSTEM_CLOCK } from "../../net/clock.ts";
import { openIstio } from "./open_istio.ts";

function opened(variables: Readonly<Record<string, string>>): string[] {
  const files = {
    read: (path: string) => path === "/etc/resolv.conf" ? "nameserver 192.0.2.53\n" : null,
    exists: () => false,
  };
  const config = parseConfig({ PROXY_MODE: "shared", ...variables }, files, 1);
  const lines: string[] = [];
  openIstio(config, SYSTEM_CLOCK, (level, text) => lines.push(`${level} ${text}`)).close();
  return lines;
}

Deno.test("Istio CA, identity 3.2: a missing address is an error", () => {
  assert.throws(() => opened({ CA_ADDRESS: "" }), /^ConfigError: ca_address must be set to use CA: set CA_ADDRESS$/);
});

Deno.test("Istio CA, identity 3.1, S31: headers are logged, possible secrets without their value", () => {
  const lines = opened({
    CA_ADDRESS: "https://istiod:15012",
    CA_HEADER_HEADER_BAZ: "baz",
    CA_HEADER_X_AUTH: "hush",
    "CA_HEADER_Set-Cookie": "hush",
    CA_HEADER_TOKEN: "hush",
    "CA_HEADER_grpc-timeout": "1S",
  });
  assert.deepEqual(lines, [
    "debug CA header added: header_baz=baz",
    "debug CA header added: x_auth=***",
    "debug CA header added: set-cookie=***",
    "debug CA header added: token=***",
    "warn CA_HEADER_grpc-timeout is not sent: the name belongs to HTTP/2 or gRPC",
  ]);
});

Deno.test("Istio CA, identity S31: a token over plaintext is a warning that does not contain it", () => {
  const token = { AUTH_TOKEN: "hush-hush" };
  assert.deepEqual(opened({ ...token, CA_ADDRESS: "http://192.0.2.1:15010" }), [
    "warn token is sent unencrypted to http://192.0.2.1:15010: use https for CA_ADDRESS",
  ]);
  assert.deepEqual(opened({ ...token, CA_ADDRESS: "unix:///run/ca.sock" }), []);
  assert.deepEqual(opened({ ...token, CA_ADDRESS: "https://istiod:15012" }), []);
});
