/** Which endpoints are chosen where some were tried or have failed lately. */
import { strict as assert } from "node:assert";
import { MemoryNetwork } from "../../net/testkit/memory_network.ts";
import { service, workload } from "../testkit/fixture.ts";
import type { LoadBalancer, WorkloadUid } from "../model/model.ts";
import type { Reason } from "../model/reasons.ts";
import { MeshState } from "../state/state.ts";
import { chooseEndpoint } from "./upstream_choice.ts";

const SOURCE = workload({ uid: "source", locality: { region: "r", zone: "z", subzone: "" }, ips: ["10.0.0.1"] });
const NEAR = { locality: { region: "r", zone: "z", subzone: "" } };
const FAILOVER = { mode: "Failover", routingPreferences: ["Region", "Zone"], healthPolicy: "OnlyHealthy" } as const;

/** A service with these endpoints, and choices among them by a random number of 0, which takes the first one. */
class Scene {
  readonly clock = new MemoryNetwork();
  readonly state = new MeshState("local-node", this.clock);
  readonly reasons: Reason[] = [];

  constructor(endpoints: Record<string, Parameters<typeof workload>[0]>, loadBalancer: LoadBalancer | null = null) {
    this.state.apply([
      SOURCE,
      service({ namespace: "ns", hostname: "svc", ports: { 80: 8080 }, loadBalancer }),
      ...Object.entries(endpoints).map(([uid, fields]) =>
        workload({ uid, namespace: "ns", ips: ["10.0.0.2"], services: { "ns/svc": { 80: 8080 } }, ...fields })
      ),
    ]);
  }

  choose(tried: readonly string[] | null = null, trace: Reason[] | null = null) {
    const entry = this.state.service("ns/svc" as never)!;
    const set = tried === null ? null : new Set(tried as WorkloadUid[]);
    return chooseEndpoint(this.state, entry, SOURCE.workload, 80, "standard", () => 0, trace, set);
  }

  chosen(tried: readonly string[] | null = null): string | null {
    return this.choose(tried)?.workload.uid ?? null;
  }

  fail(uid: string, port = 8080): void {
    this.state.health!.failed({ workload: { uid: uid as WorkloadUid }, port }, "refused");
  }
}

Deno.test("endpoints that were tried are left out, unless all were", () => {
  const scene = new Scene({ a: {}, b: {}, c: {} });
  assert.deepEqual([scene.chosen(), scene.chosen(["a"]), scene.chosen(["a", "b"])], ["a", "b", "c"]);
  assert.equal(scene.chosen(["a", "b", "c"]), "a");
  assert.equal(scene.chosen(), "a", "what one connection has tried does not concern the next");
});

Deno.test("an endpoint says whether the service has others that were not tried", () => {
  const scene = new Scene({ a: {}, b: {}, never: { capacity: 0 }, nowhere: { ips: [] } });
  assert.deepEqual([scene.choose()!.hasOthers, scene.choose(["a"])!.hasOthers], [true, false]);
  scene.fail("b");
  assert.deepEqual([scene.chosen(), scene.choose()!.hasOthers], ["a", true], "also where the other one is set back");
  assert.equal(new Scene({ a: {} }).choose()!.hasOthers, false);
});

Deno.test("endpoints that are set back are left out until their time is over, unless all are", () => {
  const scene = new Scene({ a: {}, b: {}, c: {} });
  assert.equal(scene.chosen(), "a");
  scene.fail("a");
  assert.equal(scene.chosen(), "b");
  scene.fail("b");
  assert.equal(scene.chosen(), "c");
  scene.fail("c");
  assert.equal(scene.chosen(), "a", "as if none were");
  scene.state.health!.succeeded({ workload: { uid: "b" as WorkloadUid }, port: 8080 });
  assert.equal(scene.chosen(), "b");
  scene.clock.advance(1000);
  assert.equal(scene.chosen(), "a");
});

Deno.test("a set-back endpoint is chosen where all others were tried", () => {
  const scene = new Scene({ a: {}, b: {} });
  scene.fail("b");
  assert.equal(scene.chosen(["a"]), "b");
});

Deno.test("a failure of another port does not count", () => {
  const scene = new Scene({ a: {}, b: {} });
  scene.fail("a", 9090);
  assert.equal(scene.chosen(), "a");
});

Deno.test("a workload that is replaced by another version is not set back any more", () => {
  const scene = new Scene({ a: {}, b: {} });
  scene.fail("a");
  scene.state.apply([workload({ uid: "a", namespace: "ns", ips: ["10.0.0.3"], services: { "ns/svc": { 80: 8080 } } })]);
  scene.state.apply([{ kind: "remove-address", name: "b" }]);
  assert.equal(scene.state.health!.avoidance("a" as WorkloadUid, 8080), null);
});

Deno.test("farther endpoints are used where all near ones are tried or set back, except by a strict service", () => {
  const endpoints = { near: NEAR, far: {} };
  const scene = new Scene(endpoints, FAILOVER);
  assert.deepEqual([scene.chosen(), scene.chosen(["near"])], ["near", "far"]);
  scene.fail("near");
  assert.equal(scene.chosen(), "far");
  const strict = new Scene(endpoints, { ...FAILOVER, mode: "Strict" });
  strict.fail("near");
  assert.deepEqual([strict.chosen(), strict.chosen(["near"])], ["near", "near"]);
});

Deno.test("an endpoint without capacity is not chosen in place of one that is set back", () => {
  const scene = new Scene({ near: NEAR, never: { ...NEAR, capacity: 0 }, far: {} }, FAILOVER);
  scene.fail("near");
  assert.equal(scene.chosen(), "far");
  scene.fail("far");
  assert.equal(scene.chosen(), "near");
});

Deno.test("the reasons name endpoints that are set back, why, and for how long", () => {
  const scene = new Scene({ a: {}, b: {} });
  scene.fail("a");
  const trace: Reason[] = [];
  scene.choose(null, trace);
  const why = "set back for another 1.0 s, as a connection to it failed, the last one by: refused";
  assert.deepEqual(
    trace.filter(({ rule }) => rule.startsWith("endpoint.")).map(({ rule, text }) => `${rule} ${text}`),
    [
      `endpoint.left-out a: ${why}`,
      "endpoint.usable b: usable, with weight 1",
    ],
  );
  scene.fail("b");
  const both: Reason[] = [];
  scene.choose(null, both);
  assert.deepEqual(both.filter(({ rule }) => rule.startsWith("endpoint.")).map(({ text }) => text), [
    `a: usable, with weight 1, as there is no better one (${why})`,
    `b: usable, with weight 1, as there is no better one (${why})`,
  ]);
});
