import { strict as assert } from "node:assert";
import type { MeshChange } from "../model/changes.ts";
import { CLIENT, mistaken, ONE, SVC, TWO } from "../testkit/explain_fixture.ts";
import type { ExplainError } from "./explanation.ts";
import { service, stateOf, workload } from "../testkit/fixture.ts";

const MESH: readonly MeshChange[] = [
  CLIENT,
  SVC,
  ONE,
  TWO,
  service({ namespace: "app", hostname: "a.example.com", name: "ext" }),
  service({ namespace: "app", hostname: "b.example.com", name: "ext" }),
  service({
    namespace: "app",
    hostname: "cidr",
    name: "cidr",
    cidrVips: [{ network: "", cidr: "240.0.0.0/24" as never }],
  }),
  service({ namespace: "app", hostname: "far", name: "far", vips: ["net-2/10.97.0.1"] }),
  workload({ uid: "nowhere", name: "nowhere", namespace: "app", protocol: "HBONE" }),
  workload({ uid: "u1", name: "job-1", namespace: "app", workloadName: "job", ips: ["10.0.0.40"] }),
  workload({ uid: "u2", name: "job-2", namespace: "app", workloadName: "job", ips: ["10.0.0.41"] }),
];

const MISTAKES:
  readonly (readonly [from: string, to: string, code: ExplainError["code"], message: RegExp, candidates: string[]])[] =
    [
      ["app/cleint", "web:80", "UNKNOWN_SOURCE", /^there is no workload "app\/cleint"$/, ["app/client"]],
      ["cleint", "web:80", "UNKNOWN_SOURCE", /cleint/, ["app/client"]],
      ["prod/client", "web:80", "UNKNOWN_SOURCE", /prod\/client/, []],
      ["apo/client", "web:80", "UNKNOWN_SOURCE", /apo\/client/, ["app/client"]],
      ["app/job", "web:80", "AMBIGUOUS_SOURCE", /^"app\/job" may be any of 2 workloads$/, ["app/job-1", "app/job-2"]],
      ["a/b/c", "web:80", "BAD_SOURCE", /write namespace\/name, its uid or its address$/, []],
      ["", "web:80", "BAD_SOURCE", /^"" names no workload/, []],
      ["nowhere", "web:80", "BAD_SOURCE", /^nowhere has no address/, []],
      ["client", "web", "BAD_TARGET", /^"web" names no target: write ip:port/, []],
      ["client", "fd00::1:80", "BAD_TARGET", /names no target/, []],
      ["client", "web:080", "BAD_TARGET", /names no target/, []],
      ["client", "wbe.app.svc.cluster.local:80", "UNKNOWN_TARGET", /is no name of the mesh for app\/client/, [
        "web.app.svc.cluster.local:80",
      ]],
      ["client", "empty:80", "BAD_TARGET", /^"empty" has no address for app\/client$/, []],
      ["192.0.2.1", "web:80", "BAD_TARGET", /means something to clients of the mesh only/, []],
      ["client", "app/ext:80", "AMBIGUOUS_TARGET", /^"app\/ext" may be any of 2 services and 0 workloads$/, [
        "app/a.example.com:80",
        "app/b.example.com:80",
      ]],
      ["client", "app/wbe:80", "UNKNOWN_TARGET", /^there is no service and no workload "app\/wbe"$/, ["app/web:80"]],
      ["client", "app/cidr:80", "BAD_TARGET", /write an address in 240\.0\.0\.0\/24$/, []],
      ["client", "app/far:80", "BAD_TARGET", /no address on the client's network ""$/, []],
      ["client", "app/a.example.com:80", "BAD_TARGET", /^app\/a.example.com has no address and no ready endpoint$/, []],
    ];
for (const [from, to, code, message, candidates] of MISTAKES) {
  Deno.test(`explain: a question without an answer: from "${from}" to "${to}"`, () => {
    const error = mistaken(stateOf(...MESH), from, to);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.deepEqual(error.candidates, candidates);
  });
}
