/** Explanations of a recorded mesh, compared with the results of its real connections. */
import { strict as assert } from "node:assert";
import { readDump } from "../dump/reader.ts";
import { explained } from "../testkit/explain_fixture.ts";
import type { Outlook } from "./explanation.ts";
import { MeshState } from "../state/state.ts";

const TRIED: readonly (readonly [from: string, to: string, got: Outlook])[] = [
  ["app/client-1", "10.9.0.3:8080", "allowed"],
  ["app/client-1", "10.9.1.3:8080", "allowed"],
  ["app/client-1", "10.96.0.10:80", "allowed"],
  ["app/client-1", "10.96.0.10:81", "allowed"],
  ["app/client-1", "10.9.0.3:9000", "allowed"],
  ["app/client-1", "10.96.0.12:9000", "allowed"],
  ["app/client-1", "10.96.0.11:9000", "allowed"],
  ["app/client-1", "10.9.1.9:8080", "allowed"],
  ["app/client-1", "10.9.0.3:9090", "refused"],
  ["app/client-1", "10.96.0.10:82", "refused"],
  ["plain/legacy-1", "10.9.0.3:8080", "refused"],
  ["plain/legacy-1", "10.9.0.3:9090", "refused"],
];
const FILE = new URL("../../../tests/fixtures/golden/config_dump-node1.json", import.meta.url);

for (const [from, to, got] of TRIED) {
  Deno.test(`explain agrees with a recorded connection: ${from} to ${to} is ${got}`, () => {
    const { changes, settings } = readDump(Deno.readTextFileSync(FILE), "node1");
    const state = new MeshState();
    state.apply(changes);
    assert.equal(explained(state, from, to, settings).outlook, got);
  });
}
