import { strict as assert } from "node:assert";
import fc from "fast-check";
import { configDump } from "../../config/config_dump.ts";
import { toJsonValue } from "../../config/dump_value.ts";
import { parseConfig } from "../../config/parse_config.ts";
import { CHANGES } from "../testkit/arbitrary_mesh.ts";
import { DumpError } from "./fields.ts";
import { readDump } from "./reader.ts";
import { MESH_SECTIONS, MeshDump } from "./sections.ts";
import { explainSettings } from "../explain/settings.ts";
import { MeshState } from "../state/state.ts";

function dumpText(state: MeshState, config = "{}"): string {
  const dump = new MeshDump(state);
  const sections = MESH_SECTIONS.map((name) => `"${name}": ${[...dump.pieces(name)].join("")}`);
  return `{"config": ${config}, ${sections.join(", ")}}`;
}

function loaded(text: string): MeshState {
  const state = new MeshState();
  state.apply(readDump(text, "dump.json").changes);
  return state;
}

for (const name of ["node1", "dedicated"]) {
  Deno.test(`a recorded dump (${name}) that is read and dumped again is the same`, () => {
    const text = Deno.readTextFileSync(
      new URL(`../../../tests/fixtures/golden/config_dump-${name}.json`, import.meta.url),
    );
    const recorded = JSON.parse(text);
    const again = JSON.parse(dumpText(loaded(text)));
    for (const section of MESH_SECTIONS) assert.deepEqual(again[section], recorded[section], section);
  });
}

Deno.test("reading the dump of any mesh gives that mesh", () => {
  fc.assert(fc.property(CHANGES, (changes) => {
    const state = new MeshState();
    for (const change of changes) state.apply([change]);
    const text = dumpText(state);
    assert.equal(dumpText(loaded(text)), text);
  }));
});

const WORKLOAD = `{"uid": "w", "namespace": "ns", "workloadIps": ["10.0.0.1"]}`;

const BAD: readonly (readonly [text: string, message: string])[] = [
  ["nonsense", "this is no JSON: "],
  ["[]", "cannot use the document (a list): it must be a map"],
  ["{}", "this is no config dump: it has neither workloads nor services"],
  [`{"workloads": 3}`, "cannot use workloads 3: it must be a list"],
  [`{"workloads": [${WORKLOAD}, null]}`, "cannot use workloads[1] null: it must be a map"],
  [`{"workloads": [{"workloadIps": []}]}`, "workloads[0] lacks the key namespace"],
  [
    `{"workloads": [${WORKLOAD.replace("10.0.0.1", "10.0.0.256")}]}`,
    `cannot use workloads[0].workloadIps[0] "10.0.0.256": it must be an IP address`,
  ],
  [
    `{"workloads": {"k": ${WORKLOAD.replace('"ns"', '"ns", "protocol": "UDP"')}}}`,
    `cannot use workloads.k.protocol "UDP": it must be TCP or HBONE`,
  ],
  [
    `{"workloads": [${WORKLOAD.replace('"ns"', '"ns", "waypoint": {"destination": "x", "hboneMtlsPort": 1}')}]}`,
    `cannot use workloads[0].waypoint.destination "x": it must be network/IP or namespace/hostname`,
  ],
  [
    `{"services": [{"name": "s", "namespace": "ns", "hostname": "h", "vips": [], "ports": {"80": 70000}}]}`,
    "cannot use services[0].ports.80 70000: it must be a whole number from 0 to 65535",
  ],
  [
    `{"services": [], "policies": [{"name": "p", "namespace": "ns", "scope": "Global", "action": "Audit"}]}`,
    `cannot use policies[0].action "Audit": it must be Allow or Deny`,
  ],
  [`{"services": [], "stagedServices": {"x": {}}}`, "x is no namespace/hostname"],
  [
    `{"services": [], "config": {"xdsOnDemand": "yes"}}`,
    `cannot use config.xdsOnDemand "yes": it must be true or false`,
  ],
  [
    `{"services": [], "config": {"proxyMode": "Dedicated", "adminAddr": {}}}`,
    "cannot use config.adminAddr (a map): it must be the address of a server",
  ],
];
for (const [text, message] of BAD) {
  Deno.test(`an invalid dump is refused: ${message}`, () => {
    assert.throws(() => readDump(text, "dump.json"), (error) => {
      assert.ok(error instanceof DumpError);
      assert.ok(error.message.startsWith(`dump.json: ${message}`), error.message);
      return true;
    });
  });
}

Deno.test("unknown keys are skipped, but an unknown condition of a policy is an error", () => {
  const policy = (match: string) =>
    `{"name": "p", "namespace": "ns", "scope": "Global", "action": "Deny", "dryRun": false, "rules": [[[${match}]]]}`;
  const text = (match: string) =>
    `{"services": [], "workloads": [${WORKLOAD.replace('"ns"', '"ns", "mood": "good"')}], "policies": [${
      policy(match)
    }]}`;
  assert.equal(readDump(text("{}"), "dump.json").changes.length, 2);
  assert.throws(
    () => readDump(text(`{"moods": ["bad"]}`), "dump.json"),
    /^DumpError: dump.json: policies\[0\]\.rules\[0\]\[0\]\[0\] has the unknown key moods; accepted are namespaces, /,
  );
});

Deno.test("any JSON is read or refused with an error that has a path", () => {
  const text = fc.oneof(
    fc.json(),
    fc.jsonValue().map((value) => JSON.stringify({ workloads: value, services: [value] })),
  );
  fc.assert(fc.property(text, (json) => {
    try {
      readDump(json, "dump.json");
    } catch (error) {
      assert.ok(error instanceof DumpError, String(error));
    }
  }));
});

const ENVIRONMENTS: readonly (readonly [name: string, environment: Record<string, string>])[] = [
  ["shared", { NETWORK: "net-1", PREFERED_SERVICE_NAMESPACE: "prod", LOCALHOST_APP_TUNNEL: "false" }],
  ["dedicated", {
    PROXY_MODE: "dedicated",
    PROXY_WORKLOAD_INFO: "ns/name/sa",
    IPV6_ENABLED: "false",
    INBOUND_PORT: "15108",
    ADMIN_PORT: "15100",
    UNSTABLE_ENABLE_SOCKS5: "true",
    XDS_ON_DEMAND: "true",
    ISTIO_META_DNS_CAPTURE: "false",
  }],
];
for (const [name, environment] of ENVIRONMENTS) {
  Deno.test(`settings read from a dump equal those of its proxy (${name})`, () => {
    const resolv = "nameserver 10.96.0.10\nsearch a.svc.cluster.local cluster.local\n";
    const files = { read: (path: string) => path === "/etc/resolv.conf" ? resolv : null, exists: () => false };
    const config = parseConfig(environment, files, 2);
    const text = dumpText(new MeshState(), JSON.stringify(toJsonValue(configDump(config))));
    assert.deepEqual(readDump(text, "dump.json").settings, explainSettings(config));
  });
}

Deno.test("without a config section the settings are the defaults", () => {
  assert.deepEqual(readDump(`{"services": []}`, "dump.json").settings, {
    network: "",
    hbonePort: 15008,
    ownPorts: [],
    localhostAppTunnel: true,
    onDemand: false,
    dns: { clusterDomain: "cluster.local", searchDomains: null, preferredServiceNamespace: null, ipv6: true },
  });
});
