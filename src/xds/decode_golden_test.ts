/** Resources of a real istiod, and the config dump of a Rust ztunnel that received them. */
import { strict as assert } from "node:assert";
import type { MeshChange } from "../mesh/model/changes.ts";
import { MESH_SECTIONS, MeshDump } from "../mesh/dump/sections.ts";
import { MeshState } from "../mesh/state/state.ts";
import { ResourceDecoder } from "./decode.ts";
import type { ResourceType } from "./resources.ts";

interface Golden {
  readonly name: string;
  readonly type: ResourceType;
  /** base64 */
  readonly raw: string;
}

function fixture(name: string): string {
  return Deno.readTextFileSync(new URL(`../../tests/fixtures/golden/${name}`, import.meta.url));
}

function goldenResources(): readonly Golden[] {
  return fixture("xds-wildcard.jsonl").trim().split("\n")
    .flatMap((line) => (JSON.parse(line) as { resources?: Golden[] }).resources ?? []);
}

function changes(): MeshChange[] {
  const decoder = new ResourceDecoder(64);
  return goldenResources().map(({ name, type, raw }) => {
    const decoded = decoder.decode(type, name, Uint8Array.fromBase64(raw));
    if (!decoded.ok || decoded.warning !== null) throw new Error(`${name}: ${JSON.stringify(decoded)}`);
    return decoded.change;
  });
}

type Dump = Record<string, unknown>;

function dumpOf(state: MeshState): Dump {
  const dump = new MeshDump(state);
  return Object.fromEntries(MESH_SECTIONS.map((name) => [name, JSON.parse([...dump.pieces(name)].join(""))]));
}

function sorted(list: unknown): unknown[] {
  const key = (value: unknown) => {
    const { uid, hostname, namespace, name } = value as Record<string, string>;
    return [uid, hostname, namespace, name].join(" ");
  };
  return (list as unknown[]).toSorted((a, b) => key(a) < key(b) ? -1 : 1);
}

/** The order of a workload's services is not defined. */
function inOrder(dump: unknown): unknown {
  const { services, ...rest } = dump as { services?: string[] };
  return services === undefined ? rest : { ...rest, services: services.toSorted() };
}

Deno.test("golden: the dump of a real mesh equals that of the Rust ztunnel", () => {
  const state = new MeshState("node1");
  assert.deepEqual(state.apply(changes()), []);
  const ours = dumpOf(state);
  const native = JSON.parse(fixture("config_dump-node1.json")) as Dump;
  assert.deepEqual(sorted(ours["workloads"]).map(inOrder), sorted(native["workloads"]).map(inOrder));
  assert.deepEqual(sorted(ours["services"]), sorted(native["services"]));
  assert.deepEqual(sorted(ours["policies"]), sorted(native["policies"]));
  assert.deepEqual(ours["stagedServices"], native["stagedServices"]);
});
