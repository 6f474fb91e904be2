import { strict as assert } from "node:assert";
import { SETTINGS } from "./catalogue/settings.ts";
import { misspellings, misspellingWarnings } from "./misspellings.ts";

const MEANT: readonly (readonly [variable: string, text: string])[] = [
  ["XDS_ADRESS=https://istiod:15012", "XDS_ADRESS (is XDS_ADDRESS meant?)"],
  ["XDS_ADDRSES=x", "XDS_ADDRSES (is XDS_ADDRESS meant?)"],
  ["xds_address=x", "xds_address (is XDS_ADDRESS meant?)"],
  ["NODENAME=node1", "NODENAME (is NODE_NAME meant?)"],
  ["ISTIO_MEAT_DNS_CAPTURE=true", "ISTIO_MEAT_DNS_CAPTURE (is ISTIO_META_DNS_CAPTURE meant?)"],
  ["CONNECTION_TERMINATION_DEADLIEN=1s", "CONNECTION_TERMINATION_DEADLIEN (is CONNECTION_TERMINATION_DEADLINE meant?)"],
  ["LOG_FORMAT=JSON", "LOG_FORMAT=JSON (only exactly json switches it on)"],
  ["AUTHZ_POLICY_INFO_LOGGING=True", "AUTHZ_POLICY_INFO_LOGGING=True (only exactly true switches it on)"],
  ["TLS12_ENABLED=true ", "TLS12_ENABLED=true  (only exactly true switches it on)"],
];
for (const [variable, text] of MEANT) {
  Deno.test(`variables: ${variable} has no effect, and what was meant is named`, () => {
    const [name = "", value = ""] = variable.split("=");
    assert.deepEqual(misspellings({ [name]: value }), [{ name, text }]);
  });
}

const FINE: readonly Record<string, string>[] = [
  { LOG_FORMAT: "json" },
  { LOG_FORMAT: "plain" },
  { HOME: "/", PATH: "/bin", USER: "root", LANG: "C", TERM: "xterm", SHLVL: "1", HOSTNAME: "a", NODE_ENV: "x" },
  { ISTIO_META_DNS_CAPTUR: "any metadata", ISTIO_METAJSON_A: "1", "XDS_HEADER_x-b": "c", "CA_HEADER_x-b": "c" },
  { ISTIOD_PORT_15012_TCP_ADDR: "10.0.0.1", NETWORK_SERVICE_HOST: "10.0.0.1", STATS_PORT_80_TCP: "tcp://10.0.0.1:80" },
  // Both are set, so the second one is meant as it is.
  { CLUSTER_ID: "Kubernetes", CLUSTER_IP: "10.0.0.1" },
  Object.fromEntries(Object.keys(SETTINGS).map((name) => [name, "x"])),
];
for (const variables of FINE) {
  Deno.test(`variables: nothing is misspelt in ${Object.keys(variables).slice(0, 3)}`, () => {
    assert.deepEqual(misspellings(variables), []);
  });
}

Deno.test("variables: settings are not similar to one another", () => {
  for (const name of Object.keys(SETTINGS)) {
    const others = Object.fromEntries(Object.keys(SETTINGS).filter((other) => other !== name).map((o) => [o, "x"]));
    assert.deepEqual(misspellings(others), []);
  }
});

Deno.test("variables: the manifest of the DaemonSet misspells nothing", async () => {
  const manifest = await Deno.readTextFile(new URL("../../deploy/ztunnel.yaml", import.meta.url));
  const names = [...manifest.matchAll(/\bname: ([A-Z][A-Z0-9_]+)/g)].map(([, name]) => name!);
  assert.ok(names.length > 5);
  for (const name of names) assert.deepEqual(misspellings({ [name]: "x" }), []);
});

Deno.test("variables: all misspellings are one warning, of bounded length", () => {
  assert.deepEqual(misspellingWarnings({ HOME: "/" }), []);
  assert.deepEqual(misspellingWarnings({ XDS_ADRESS: "x", LOG_FORMAT: "JSON" }), [
    "environment variables without effect: XDS_ADRESS (is XDS_ADDRESS meant?), LOG_FORMAT=JSON (only exactly json " +
    "switches it on)",
  ]);
  const many = Object.fromEntries(
    Array.from({ length: 2000 }, (_, i) => [`xds_address${"ABCDEFGHIJ"[i % 10]}${i}`, ""]),
  );
  assert.deepEqual(misspellingWarnings(many).length, 0);
  const near = Object.fromEntries([..."ABCDEFGHIJKLM"].map((letter) => [`XDS_ADDRES${letter}`, ""]));
  assert.match(misspellingWarnings(near)[0]!, / and 3 more$/);
});
