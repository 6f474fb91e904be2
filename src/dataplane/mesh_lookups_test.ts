import { strict as assert } from "node:assert";
import { MeshLookups } from "./mesh_lookups.ts";

function bed() {
  const requests: string[] = [];
  const results: string[] = [];
  const lookups = new MeshLookups((name) => requests.push(name));
  const ask = (caller: string, name: string) =>
    lookups.lookUp(name, (failure) => results.push(`${caller}: ${failure}`));
  return { requests, results, lookups, ask };
}

Deno.test("xds 8.1 Q4: callers with the same name share one request and its result", () => {
  const { requests, results, lookups, ask } = bed();
  ask("a", "/10.0.0.1");
  ask("b", "/10.0.0.1");
  ask("c", "ns/host");
  assert.deepEqual(requests, ["/10.0.0.1", "ns/host"]);
  lookups.settle("/10.0.0.1", "known");
  assert.deepEqual(results, ["a: null", "b: null"]);
  ask("d", "/10.0.0.1");
  assert.deepEqual(
    requests,
    ["/10.0.0.1", "ns/host", "/10.0.0.1"],
    "a later lookup makes a new request; main caches results",
  );
});

Deno.test("a caller that has stopped is not called back; a result without callers has no effect", () => {
  const { results, lookups, ask } = bed();
  const giveUp = ask("a", "x");
  ask("b", "x");
  giveUp();
  lookups.settle("x", "absent");
  lookups.settle("x", "known");
  assert.deepEqual(results, ["b: null"]);
});

Deno.test("a lookup without a result fails with the reason", () => {
  const { results, lookups, ask } = bed();
  ask("a", "x");
  ask("b", "y");
  lookups.settle("x", "expired");
  lookups.settle("y", "refused");
  assert.deepEqual(results, [
    "a: the control plane did not say in time what x is",
    "b: the control plane cannot be asked what y is: too many wait for it",
  ]);
});
