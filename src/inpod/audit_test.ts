import { strict as assert } from "node:assert";
import { type AuditState, findDifferences, type FoundPod, type InstanceState } from "./audit.ts";
import type { PodUid } from "./pod.ts";
import type { PodState } from "./pod_registry.ts";

const workload = { name: "a", namespace: "app", serviceAccount: "a" };

function pod(uid: string, namespace: string | null = `ns-${uid}`): PodState {
  return { uid: uid as PodUid, workload, state: namespace === null ? "Pending" : "Up", namespace };
}

function instance(number: number, uid: string, up: readonly number[] | null = [0, 1]): InstanceState {
  return { instance: number, uid, namespace: `ns-${uid}`, up };
}

function found(number: number, uid: string, more: Partial<FoundPod> = {}): FoundPod {
  return { instance: number, namespace: `ns-${uid}`, faults: [], ...more };
}

function books(pods: readonly PodState[], instances: readonly InstanceState[], lastInstance = 9): AuditState {
  return { pods, instances, lastInstance };
}

const A = books([pod("a")], [instance(1, "a")]);
const NOTHING = books([], []);

const CASES:
  readonly (readonly [string, AuditState, readonly (readonly FoundPod[])[], AuditState, readonly string[]])[] = [
    ["no difference", A, [[found(1, "a")], [found(1, "a")]], A, []],
    ["no pods", NOTHING, [[], []], NOTHING, []],
    ["a pod is missing in a worker", A, [[found(1, "a")], []], A, ["a: worker 1 does not have it"]],
    ["a listener is missing", A, [[found(1, "a", { faults: ["a listener does not listen"] })], [found(1, "a")]], A, [
      "a: worker 0: a listener does not listen",
    ]],
    ["another namespace behind the descriptor", A, [[found(1, "a", { namespace: "ns-x" })], [found(1, "a")]], A, [
      "a: worker 0: its namespace is ns-a, but ns-x is behind the descriptor",
    ]],
    ["no namespace behind the descriptor", A, [[found(1, "a")], [found(1, "a", { namespace: null })]], A, [
      "a: worker 1: its namespace is ns-a, but none is behind the descriptor",
    ]],
    ["enrolled and not served", books([pod("a")], []), [[], []], books([pod("a")], []), [
      "a: enrolled, but nothing serves it",
    ]],
    ["pending", books([pod("a", null)], []), [[], []], books([pod("a", null)], []), []],
    ["an unknown instance", NOTHING, [[], [found(3, "x")]], NOTHING, [
      "null: worker 1 serves instance 3, which is not enrolled",
    ]],
    [
      "a pod that was added meanwhile",
      NOTHING,
      [[found(10, "a")], []],
      books([pod("a")], [instance(10, "a", null)], 10),
      [],
    ],
    ["a pod that was removed meanwhile", A, [[], [found(1, "a")]], NOTHING, []],
    ["a pod that is starting", books([pod("a")], [instance(1, "a", null)]), [[], [found(1, "a")]], A, []],
    ["a pod that began to stop meanwhile", A, [[], []], books([pod("a")], [instance(1, "a", null)]), []],
    [
      "a pod that is served by one worker only",
      books([pod("a")], [instance(1, "a", [1])]),
      [[], [found(1, "a")]],
      books([pod("a")], [instance(1, "a", [1])]),
      [],
    ],
  ];
for (const [name, before, reports, after, expected] of CASES) {
  Deno.test(`audit: ${name}`, () => {
    assert.deepEqual(findDifferences(before, reports, after).map(({ uid, text }) => `${uid}: ${text}`), expected);
  });
}
