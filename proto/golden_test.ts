import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import { istio } from "../testkit/gen/resources.js";

/** One resource of a response that a real istiod sent: its bytes, and its content as protobuf's JSON. */
interface Golden {
  readonly name: string;
  readonly type: string;
  readonly raw: string;
  readonly body: unknown;
}

const FIXTURE = new URL("../tests/fixtures/golden/xds-wildcard.jsonl", import.meta.url);

function goldenResources(): Golden[] {
  return Deno.readTextFileSync(FIXTURE).trim().split("\n")
    .flatMap((line) => (JSON.parse(line) as { resources?: Golden[] }).resources ?? []);
}

const CODECS: Readonly<
  Record<string, { encode(m: unknown): { finish(): Uint8Array }; decode(b: Uint8Array): unknown }>
> = {
  "type.googleapis.com/istio.workload.Address": istio.workload.Address,
  "type.googleapis.com/istio.security.Authorization": istio.security.Authorization,
};

/** Enums by the names of the fields that hold them; "mode" is the only one that two messages could share. */
const ENUMS: Readonly<Record<string, Readonly<Record<string, string | number>>>> = {
  action: istio.security.Action,
  appProtocol: istio.workload.AppProtocol,
  healthPolicy: istio.workload.LoadBalancing.HealthPolicy,
  ipFamilies: istio.workload.IPFamilies,
  mode: istio.workload.LoadBalancing.Mode,
  networkMode: istio.workload.NetworkMode,
  protocol: istio.workload.ApplicationTunnel.Protocol,
  routingPreference: istio.workload.LoadBalancing.Scope,
  scope: istio.security.Scope,
  status: istio.workload.WorkloadStatus,
  tunnelProtocol: istio.workload.TunnelProtocol,
  visibility: istio.workload.Service.Visibility,
  workloadType: istio.workload.WorkloadType,
};

/** istiod's copy of the schema has other names for two levels of a policy. */
const OUR_NAMES: Readonly<Record<string, string>> = { groups: "rules", rules: "clauses" };

/** protobuf's JSON in our form: enums as numbers, our names. */
function fromJson(value: unknown, field = ""): unknown {
  if (Array.isArray(value)) return value.map((element) => fromJson(element, field));
  if (typeof value === "string") return ENUMS[field]?.[value] ?? value;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [OUR_NAMES[key] ?? key, fromJson(member, key)]),
  );
}

/** A decoded message in the form of protobuf's JSON: what is set, bytes as base64, wrappers unwrapped. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([key, member]) => !isEmptyList(key, member))
      .map(([key, member]) => [key, plain(key === "capacity" ? (member as { value: number }).value : member)]),
  );
}

/** Lists and the one map are there from the start. An empty message is something else: `presence: {}`. */
function isEmptyList(key: string, value: unknown): boolean {
  return (Array.isArray(value) || key === "services") && Object.keys(value as object).length === 0;
}

for (const { name, type, raw, body } of goldenResources()) {
  Deno.test(`a resource of istiod's is understood in full: ${name}`, () => {
    const codec = CODECS[type];
    assert(codec, type);
    const bytes = Buffer.from(raw, "base64");
    const message = codec.decode(bytes);
    assert.deepEqual(plain(message), fromJson(body));
    const again = codec.encode(message).finish();
    assert.equal(again.length, bytes.length, "the schema lacks a field"); // istiod writes fields in another order
    assert.deepEqual(codec.decode(again), message);
  });
}

Deno.test("the recording has resources of both kinds", () => {
  const types = goldenResources().map(({ type }) => type);
  assert.equal(types.filter((type) => type.endsWith(".Address")).length, 28);
  assert.equal(types.filter((type) => type.endsWith(".Authorization")).length, 6);
});
