import { strict as assert } from "node:assert";
import { service, stateOf, workload } from "../testkit/fixture.ts";
import type { Reason } from "../model/reasons.ts";
import { chooseEndpoint } from "./upstream_choice.ts";

const SOURCE = workload({ uid: "source", locality: { region: "r", zone: "z", subzone: "" }, ips: ["10.0.0.1"] });

function endpoint(uid: string, fields: Parameters<typeof workload>[0] = {}) {
  return workload({ uid, namespace: "ns", ips: ["10.0.0.2"], services: { "ns/svc": { 80: 8080 } }, ...fields });
}

function reasons(...endpoints: ReturnType<typeof endpoint>[]): Reason[] {
  const state = stateOf(
    SOURCE,
    service({
      namespace: "ns",
      hostname: "svc",
      ports: { 80: 8080 },
      loadBalancer: { mode: "Failover", routingPreferences: ["Region", "Zone"], healthPolicy: "OnlyHealthy" },
    }),
    ...endpoints,
  );
  const trace: Reason[] = [];
  chooseEndpoint(state, state.service("ns/svc" as never)!, SOURCE.workload, 80, "standard", () => 0, trace);
  return trace;
}

Deno.test("the reason why each endpoint is used or left out", () => {
  const near = { locality: { region: "r", zone: "z", subzone: "" } };
  const trace = reasons(
    endpoint("far"),
    endpoint("near-1", { ...near, capacity: 2 }),
    endpoint("near-2", near),
    endpoint("never", { ...near, capacity: 0 }),
    endpoint("nowhere", { ...near, ips: [] }),
  );
  assert.deepEqual(trace, [
    {
      rule: "endpoint.left-out",
      subject: "nowhere",
      text: "nowhere: it has no address and is not behind a network gateway",
    },
    { rule: "endpoint.usable", subject: "near-1", text: "near-1: usable, with weight 2" },
    { rule: "endpoint.usable", subject: "near-2", text: "near-2: usable, with weight 1" },
    { rule: "endpoint.left-out", subject: "never", text: "never: its capacity is 0, so it is never chosen" },
    {
      rule: "endpoint.left-out",
      subject: "far",
      text: "far: others are nearer by Region, Zone: rank 2, this one has 0",
    },
    {
      rule: "upstream.choice",
      text: "ns/svc: one of 2 endpoints",
      options: [{ name: "near-1", weight: 2 }, { name: "near-2", weight: 1 }],
    },
    { rule: "upstream.endpoint", subject: "near-1", text: "ns/svc: near-1 port 8080" },
  ]);
});

Deno.test("of very many endpoints a hundred are reported, those of the pool first", () => {
  const trace = reasons(
    ...Array.from({ length: 150 }, (_, i) => endpoint(`far-${i}`)),
    endpoint("near", { locality: { region: "r", zone: "z", subzone: "" } }),
  );
  assert.equal(trace[0]?.subject, "near");
  assert.equal(trace.filter(({ rule }) => rule === "endpoint.left-out").length, 99);
  assert.deepEqual(trace[100], { rule: "endpoint.more", text: "51 more endpoints" });
});
