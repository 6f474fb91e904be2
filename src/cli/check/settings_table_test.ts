import { strict as assert } from "node:assert";
import { SETTINGS } from "../../config/catalogue/settings.ts";
import { MESH_FILE } from "../../config/default_paths.ts";
import { files } from "../testkit/machine.ts";
import { parseConfig } from "../../config/parse_config.ts";
import { effectiveSettings } from "./settings_table.ts";

const MESH = `
trustDomainAliases: [old.example]
defaultConfig:
  discoveryAddress: mesh:15012
  concurrency: 3
  proxyMetadata: { ISTIO_META_DNS_CAPTURE: "false" }
`;

/** `NAME origin value` of the settings named. */
function table(variables: Record<string, string>, meshFile: string | null, ...names: readonly string[]): string[] {
  const config = parseConfig(variables, files(meshFile === null ? {} : { [MESH_FILE]: meshFile }), 2);
  const all = effectiveSettings({ variables, config, meshFile });
  return names.map((name) => {
    const found = all.find((setting) => setting.name === name);
    return `${found?.origin} ${found?.value}`;
  });
}

Deno.test("check: every setting is listed once, in the order of the manual", () => {
  const all = effectiveSettings({ variables: {}, config: null, meshFile: null });
  assert.deepEqual(all.map(({ name }) => name), Object.keys(SETTINGS));
  assert.ok(all.every(({ origin }) => origin === "default"));
});

Deno.test("check: a value comes from the variable, then PROXY_CONFIG, then the mesh file, then the default", () => {
  const names = ["XDS_ADDRESS", "ZTUNNEL_WORKER_THREADS", "TRUST_DOMAIN_ALIASES", "ISTIO_META_DNS_CAPTURE"];
  const inFile = ["file mesh:15012", "file 3", "file old.example", "file false"];
  assert.deepEqual(table({}, MESH, ...names), inFile);
  assert.deepEqual(table({ PROXY_CONFIG: "concurrency: 2" }, MESH, ...names), [
    inFile[0],
    "environment 2",
    ...inFile.slice(2),
  ]);
  assert.deepEqual(table({ PROXY_CONFIG: "concurrency: 2", ZTUNNEL_WORKER_THREADS: "1" }, MESH, names[1]!), [
    "environment 1",
  ]);
  assert.deepEqual(table({}, null, ...names), [
    "default https://localhost:15012",
    "default 1",
    "default (not set: trustDomainAliases of the mesh file)",
    "default true",
  ]);
});

Deno.test("check: secrets are hidden, and long values are counted", () => {
  const variables = {
    XDS_ADDRESS: "",
    AUTH_TOKEN: "s3cret",
    "XDS_HEADER_authorization": "s3cret",
    "CA_HEADER_x-tenant": "blue",
    ISTIO_META_API_KEY: "s3cret",
    LOCAL_XDS: `workloads: []\n# ${"x".repeat(200)}`,
  };
  assert.deepEqual(table(variables, null, ...Object.keys(variables)), [
    "environment (empty)",
    "environment (hidden)",
    "environment (hidden)",
    "environment blue",
    "environment (hidden)",
    "environment (216 characters)",
  ]);
});

Deno.test("check: the path of a token is shown, also that of the default", () => {
  const path = "./var/run/secrets/tokens/istio-token";
  const texts = files({ [path]: "s3cret", "/token": "s3cret" });
  const shown = (variables: Record<string, string>) =>
    effectiveSettings({ variables, config: parseConfig(variables, texts, 2), meshFile: null })
      .find(({ name }) => name === "AUTH_TOKEN");
  assert.deepEqual(shown({ AUTH_TOKEN: "/token" }), { name: "AUTH_TOKEN", value: "/token", origin: "environment" });
  assert.deepEqual(shown({}), { name: "AUTH_TOKEN", value: path, origin: "default" });
});
