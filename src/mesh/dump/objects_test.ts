import { strict as assert } from "node:assert";
import { dumpStaticFile, type Json, type JsonObject } from "./objects.ts";
import { MESH_SECTIONS, MeshDump } from "./sections.ts";
import { gateway, match, policy, service, stateOf, workload } from "../testkit/fixture.ts";
import type { MeshState } from "../state/state.ts";
import { changesOf, parseStaticFile } from "../static_file/static_file.ts";

interface Recorded {
  readonly workloads: readonly (JsonObject & { readonly uid: string; readonly services?: readonly string[] })[];
  readonly services: readonly (JsonObject & {
    readonly namespace: string;
    readonly hostname: string;
    readonly endpoints: Record<string, { readonly port: JsonObject }>;
  })[];
  readonly policies: readonly JsonObject[];
  readonly stagedServices: JsonObject;
}

/** Recorded from a native proxy that was connected to a real control plane. */
const RECORDING = Deno.readTextFileSync(
  new URL("../../../tests/fixtures/golden/config_dump-node1.json", import.meta.url),
);
const RECORDED: Recorded = JSON.parse(RECORDING);

/** The sections of the mesh, as text. */
function sections(state: MeshState): Record<string, string> {
  const dump = new MeshDump(state);
  return Object.fromEntries(MESH_SECTIONS.map((name) => [name, [...dump.pieces(name)].join("")]));
}

function dumpMesh(state: MeshState): JsonObject {
  return Object.fromEntries(Object.entries(sections(state)).map(([name, text]) => [name, JSON.parse(text)]));
}

/** The text of the value of one key in the recorded document. */
function recordedText(key: string): string {
  const [, text = ""] = RECORDING.split(`\n  "${key}": `);
  return text.slice(0, text.search(/,?\n(?! {3}| {2}[\]}])/));
}

/** Canonical text: keys sorted. */
function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value as JsonObject).sort().map(([key, each]) => [key, sorted(each)]));
}

/** The ports of the workload for each of its services, which the dump shows in the services. */
function portsByService({ uid, services = [] }: Recorded["workloads"][number]): JsonObject {
  return Object.fromEntries(services.map((key) => {
    const owner = RECORDED.services.find((each) => `${each.namespace}/${each.hostname}` === key);
    return [key, owner?.endpoints[uid]?.port ?? {}];
  }));
}

function recordedState(): MeshState {
  const text = JSON.stringify({
    workloads: RECORDED.workloads.map((each) => ({ ...each, services: portsByService(each) })),
    services: RECORDED.services.map((each) => ({ ...each, endpoints: {} })),
    policies: RECORDED.policies,
  });
  const file = parseStaticFile(text, "dump");
  // A workload of the static file lists no services; one from the control plane does.
  const workloads = file.workloads.map((each) => ({
    ...each,
    workload: { ...each.workload, services: [...each.endpoints.keys()] },
  }));
  return stateOf(...changesOf({ ...file, workloads }));
}

Deno.test("config 4.4: a recorded dump, loaded and dumped again, has the same bytes", () => {
  const texts = sections(recordedState());
  for (const name of MESH_SECTIONS) assert.equal(texts[name], recordedText(name), name);
});

Deno.test("a dump shows the mesh as it was when the dump began", () => {
  const state = recordedState();
  const before = sections(state);
  const dump = new MeshDump(state);
  const workloads = dump.pieces("workloads");
  const first = workloads.next().value!;
  state.apply([{ kind: "clear" }, workload({ uid: "new", name: "new", namespace: "ns" })]);
  assert.equal(first + [...workloads].join(""), before["workloads"]);
  assert.equal([...dump.pieces("policies")].join(""), before["policies"]);
});

Deno.test("config 4.4: every optional field of a dump can be read back", () => {
  const state = stateOf(
    workload({
      uid: "w",
      name: "w",
      namespace: "ns",
      network: "net",
      ips: ["10.0.0.1", "fd00::1"],
      waypoint: gateway("net/10.0.0.9"),
      networkGateway: gateway("ns/gw", 15009),
      applicationTunnel: { protocol: "PROXY", port: null },
      nativeTunnel: true,
      locality: { region: "r", zone: "", subzone: "" },
      hostname: "h",
      networkMode: "HostNetwork",
      services: { "ns/late": { 80: 8080 } },
    }),
    service({
      namespace: "ns",
      hostname: "svc",
      vips: ["net/10.1.0.1"],
      cidrVips: [{ network: "net", cidr: "10.2.0.1/16" as never }],
      ports: { 80: 0 },
      subjectAltNames: ["spiffe://td/ns/a/sa/b"],
      waypoint: gateway("ns/wp"),
      weightedWaypoints: [{ destination: gateway("/10.0.0.9"), weight: 3 }],
      loadBalancer: { routingPreferences: ["Network", "Zone"], mode: "Failover", healthPolicy: "AllowAll" },
      ipFamilies: "Dual",
      canonical: true,
      visibility: "Namespace",
    }),
    policy({
      name: "p",
      scope: "Global",
      action: "Deny",
      dryRun: true,
      rules: [[[
        match({
          namespaces: [{ kind: "Exact", value: "e" }],
          notNamespaces: [{ kind: "Prefix", value: "p" }],
          principals: [{ kind: "Suffix", value: "s" }],
          notPrincipals: [{ kind: "Presence" }],
          serviceAccounts: [{ namespace: "n", serviceAccount: "s" }],
          notServiceAccounts: [{ namespace: "n", serviceAccount: "t" }],
          sourceIps: ["127.0.0.1/24" as never],
          notSourceIps: ["::/0" as never],
          destinationIps: ["10.0.0.0/8" as never],
          notDestinationIps: ["fd00::/8" as never],
          destinationPorts: [1],
          notDestinationPorts: [2, 65535],
        }),
      ]]],
    }),
  );
  const dump = dumpMesh(state) as JsonObject & { workloads: JsonObject[] };
  assert.deepEqual(sorted(dump.stagedServices!), {
    "ns/late": { w: { port: { "80": 8080 }, status: "Healthy", workloadUid: "w" } },
  });
  const { stagedServices: _, ...rest } = dump;
  const text = JSON.stringify({
    ...rest,
    workloads: dump.workloads.map((each) => ({ ...each, services: { "ns/late": { 80: 8080 } } })),
  });
  const file = parseStaticFile(text, "dump");
  assert.deepEqual(sorted(dumpStaticFile(file)), sorted(JSON.parse(text)));
});
