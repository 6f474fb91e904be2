import assert from "node:assert/strict";
import { parseConfig } from "../config/parse_config.ts";
import { SYSTEM_CLOCK } from "../net/clock.ts";
import { xdsConnector } from "./xds_channel.ts";

const files = {
  read: (path: string) => path === "/etc/resolv.conf" ? "nameserver 127.0.0.1" : null,
  exists: () => false,
};

/** Returns the warnings about these settings. */
function warnings(environment: Readonly<Record<string, string>>): string[] {
  const texts: string[] = [];
  xdsConnector(parseConfig(environment, files, 2), SYSTEM_CLOCK, (text) => texts.push(text))().close();
  return texts;
}

const unencrypted = (address: string) => [`token is sent unencrypted to ${address}: use https for XDS_ADDRESS`];
const cases: readonly [what: string, environment: Readonly<Record<string, string>>, expected: readonly string[]][] = [
  ["https with a token", { XDS_ADDRESS: "https://istiod:15012", AUTH_TOKEN: "t" }, []],
  ["http with a token", { XDS_ADDRESS: "http://istiod:15010", AUTH_TOKEN: "t" }, unencrypted("http://istiod:15010")],
  [
    "http with a token to an address",
    { XDS_ADDRESS: "http://10.0.0.1:1", AUTH_TOKEN: "t" },
    unencrypted("http://10.0.0.1:1"),
  ],
  ["http without a token", { XDS_ADDRESS: "http://istiod:15010" }, []],
  ["http on this machine", { XDS_ADDRESS: "http://[::1]:15010", AUTH_TOKEN: "t" }, []],
  ["a Unix socket", { XDS_ADDRESS: "unix:///run/xds.sock", AUTH_TOKEN: "t" }, []],
  ["a header that is HTTP/2's", { XDS_ADDRESS: "https://istiod:15012", XDS_HEADER_TE: "x", XDS_HEADER_FOO: "y" }, [
    "XDS_HEADER_te is not sent: the name belongs to HTTP/2 or gRPC",
  ]],
];

for (const [what, environment, expected] of cases) {
  Deno.test(`xds channel, warnings about settings: ${what}`, () => {
    assert.deepEqual(warnings(environment), expected);
  });
}
