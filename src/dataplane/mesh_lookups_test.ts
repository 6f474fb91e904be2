import { strict as assert } from "node:assert";
import { MeshLookups } from "./mesh_lookups.ts";

function bed() {
  const asked: string[] = [];
  const heard: string[] = [];
  const lookups = new MeshLookups((name) => asked.push(name));
  const ask = (who: string, name: string) => lookups.lookUp(name, (failure) => heard.push(`${who}: ${failure}`));
  return { asked, heard, lookups, ask };
}

Deno.test("xds 8.1 Q4: callers with the same name share one request and its result", () => {
  const { asked, heard, lookups, ask } = bed();
  ask("a", "/10.0.0.1");
  ask("b", "/10.0.0.1");
  ask("c", "ns/host");
  assert.deepEqual(asked, ["/10.0.0.1", "ns/host"]);
  lookups.answered("/10.0.0.1", "known");
  assert.deepEqual(heard, ["a: null", "b: null"]);
  ask("d", "/10.0.0.1");
  assert.deepEqual(asked, ["/10.0.0.1", "ns/host", "/10.0.0.1"], "each question is asked anew; main remembers");
});

Deno.test("a caller that has stopped is not called back; a result without callers has no effect", () => {
  const { heard, lookups, ask } = bed();
  const giveUp = ask("a", "x");
  ask("b", "x");
  giveUp();
  lookups.answered("x", "absent");
  lookups.answered("x", "known");
  assert.deepEqual(heard, ["b: null"]);
});

Deno.test("a lookup without a result fails with the reason", () => {
  const { heard, lookups, ask } = bed();
  ask("a", "x");
  ask("b", "y");
  lookups.answered("x", "expired");
  lookups.answered("y", "refused");
  assert.deepEqual(heard, [
    "a: the control plane did not say in time what x is",
    "b: the control plane cannot be asked what y is: too many wait for it",
  ]);
});
