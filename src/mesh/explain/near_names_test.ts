import { strict as assert } from "node:assert";
import { nearNames } from "./near_names.ts";

const NAMES = ["client-7f9c-abcde", "client-7f9c-fghij", "server-1", "waypoint", "database-0", "a"];

const CASES: readonly (readonly [typed: string, near: readonly string[]])[] = [
  ["client", ["client-7f9c-abcde", "client-7f9c-fghij"]],
  ["cilent", ["client-7f9c-abcde", "client-7f9c-fghij"]],
  ["servr-1", ["server-1"]],
  ["point", ["waypoint"]],
  ["databse-0", ["database-0"]],
  ["entirely-else", []],
];
for (const [typed, near] of CASES) {
  Deno.test(`names similar to ${typed}`, () => assert.deepEqual(nearNames(typed, NAMES, (name) => name), near));
}

Deno.test("at most five names are suggested, and a limited number is compared", () => {
  const many = Array.from({ length: 5000 }, (_, i) => `pod-${i}`);
  assert.equal(nearNames("pod-1", many, (name) => name).length, 5);
  assert.deepEqual(nearNames("pod-4999", many, (name) => name).includes("pod-4999"), false);
});
