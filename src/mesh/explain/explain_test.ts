import { strict as assert } from "node:assert";
import fc from "fast-check";
import { formatAddress } from "../../net/address.ts";
import { CHANGES, WORKLOAD } from "../testkit/arbitrary_mesh.ts";
import { authorize } from "../policy/authorize.ts";
import { CLIENT, explained, ONE, server, SETTINGS, SVC, TWO } from "../testkit/explain_fixture.ts";
import type { Explanation } from "./explanation.ts";
import { exact, gateway, match, policy, service, socket, stateOf, workload } from "../testkit/fixture.ts";
import { resolveOutbound } from "../resolve/outbound.ts";
import { MemoryNetwork } from "../../net/testkit/memory_network.ts";
import { MeshState } from "../state/state.ts";
import { identityOf } from "../model/workload_identity.ts";

const rules = ({ ways: [first] }: Explanation) => first!.hop.because.map(({ rule }) => rule);

Deno.test("explain: a service, its endpoints by weight, and the policies of each", () => {
  const state = stateOf(
    CLIENT,
    SVC,
    ONE,
    server("web-2", { ips: ["10.0.0.3"], capacity: 3, authorizationPolicies: ["app/only-x" as never] }),
    server("web-3", { ips: ["10.0.0.4"], status: "Unhealthy" }),
    policy({
      name: "only-x",
      namespace: "app",
      scope: "WorkloadSelector",
      rules: [[[match({ principals: [exact("cluster.local/ns/app/sa/x")] })]]],
    }),
  );
  const explanation = explained(state, "app/client", "web:80");
  const { ways, outlook, summary, unready, to, from } = explanation;
  assert.equal(outlook, "depends");
  assert.equal(
    summary,
    "one of 2 ways is chosen by chance; 1 of them: app/web-2 refuses: connection closed due to policy rejection: " +
      "allow policies exist, but none allowed",
  );
  assert.deepEqual(ways.map((way) => [way.chance, way.outlook]), [[0.25, "allowed"], [0.75, "refused"]]);
  assert.deepEqual(unready, ["web-3"]);
  assert.deepEqual(to, {
    asked: "web:80",
    address: "10.96.0.1:80",
    because: [{ rule: "name.dns", text: "web is answered with 10.96.0.1" }],
  });
  assert.equal(from?.identity, "spiffe://cluster.local/ns/app/sa/client");
  assert.deepEqual(ways[1]?.hop.outcome, {
    kind: "route",
    protocol: "HBONE",
    dial: "10.0.0.3:15008",
    authority: "10.0.0.3:8080",
    destination: {
      uid: "web-2",
      namespace: "app",
      name: "web-2",
      node: "",
      protocol: "HBONE",
      identity: "spiffe://cluster.local/ns/app/sa/web",
    },
    service: "app/web.app.svc.cluster.local",
    shows: "spiffe://cluster.local/ns/app/sa/client",
    expects: ["spiffe://cluster.local/ns/app/sa/web"],
    expectsBehind: [],
    leadsTo: "destination",
  });
  assert.deepEqual(ways[1]?.hop.admission?.policies, [{
    key: "app/only-x",
    action: "Allow",
    scope: "WorkloadSelector",
    dryRun: false,
    result: "does-not-match",
    decides: false,
    details: ["rule 1: principal cluster.local/ns/app/sa/client is not among cluster.local/ns/app/sa/x"],
  }]);
  assert.deepEqual(rules(explanation), [
    "outbound.service",
    "endpoint.usable",
    "endpoint.usable",
    "upstream.choice",
    "upstream.endpoint",
    "outbound.direct",
  ]);
});

Deno.test("explain: all policies in the order of evaluation, including those that were not evaluated", () => {
  const state = stateOf(
    CLIENT,
    server("web-1", { ips: ["10.0.0.2"], authorizationPolicies: ["app/late" as never, "app/allow" as never] }),
    policy({ name: "deny", namespace: "app", action: "Deny", rules: [[[match({ destinationPorts: [9000] })]]] }),
    policy({ name: "dry", namespace: "app", action: "Deny", dryRun: true, rules: [[]] }),
    policy({ name: "allow", namespace: "app", scope: "WorkloadSelector", rules: [[]] }),
  );
  const { outlook, ways } = explained(state, "client", "10.0.0.2:8080");
  assert.equal(outlook, "refused");
  const { admission } = ways[0]!.hop;
  assert.equal(admission?.decision, "unknown policy, deny");
  assert.deepEqual(admission?.policies.map(({ key, result, decides }) => [key, result, decides]), [
    ["app/dry", "matches", false],
    ["app/deny", "does-not-match", false],
    ["app/late", "unknown", true],
    ["app/allow", "not-asked", false],
  ]);
});

Deno.test("explain: through the waypoint of a service, and what the waypoint can reach", () => {
  const state = stateOf(
    CLIENT,
    service({ ...SVC.service, vips: ["/10.96.0.1"], ports: { 80: 8080 }, waypoint: gateway("app/wp") }),
    service({ namespace: "app", hostname: "wp", vips: ["/10.96.0.9"], ports: { 15008: 15008 } }),
    workload({
      uid: "wp-1",
      name: "wp-1",
      namespace: "app",
      serviceAccount: "wp",
      ips: ["10.0.0.9"],
      services: { "app/wp": {} },
    }),
    ONE,
    TWO,
    policy({
      name: "p",
      namespace: "app",
      rules: [[[match({ principals: [exact("cluster.local/ns/app/sa/client")] })]]],
    }),
  );
  const { outlook, ways, summary } = explained(state, "app/client", "10.96.0.1:80");
  const [{ hop, onward }] = ways as [Explanation["ways"][number]];
  assert.equal(outlook, "refused", "who talks to the servers is the waypoint, not the client");
  assert.match(summary, /^HBONE to the waypoint app\/wp-1, whose 2 destinations all refuse; app\/web-1 refuses: /);
  assert.ok(hop.outcome.kind === "route");
  assert.deepEqual(
    [hop.outcome.leadsTo, hop.outcome.dial, hop.outcome.authority, hop.outcome.expects],
    ["waypoint", "10.0.0.9:15008", "10.96.0.1:80", ["spiffe://cluster.local/ns/app/sa/wp"]],
  );
  assert.match(hop.admission?.notEnforced ?? "", /^it accepts HBONE itself/);
  assert.deepEqual(
    onward?.hops.map(({ by, outcome }) => [by, outcome.kind === "route" && [outcome.dial, outcome.shows]]),
    [
      ["waypoint", ["10.0.0.2:15008", "spiffe://cluster.local/ns/app/sa/wp"]],
      ["waypoint", ["10.0.0.3:15008", "spiffe://cluster.local/ns/app/sa/wp"]],
    ],
  );
});

Deno.test("explain: each weighted waypoint is a way", () => {
  const weighted = [{ destination: gateway("/10.0.0.9"), weight: 90 }, {
    destination: gateway("/10.0.0.10"),
    weight: 10,
  }];
  const state = stateOf(
    CLIENT,
    service({ ...SVC.service, vips: ["/10.96.0.1"], ports: { 80: 8080 }, weightedWaypoints: weighted }),
    workload({ uid: "wp-1", name: "wp-1", namespace: "app", ips: ["10.0.0.9"], nativeTunnel: true, protocol: "HBONE" }),
    ONE,
  );
  const { outlook, ways } = explained(state, "app/client", "10.96.0.1:80");
  assert.equal(outlook, "depends");
  assert.deepEqual(ways.map(({ chance }) => chance), [0.9, 0.1]);
  assert.deepEqual(ways[1]?.hop.outcome.kind, "refusal");
  assert.deepEqual(ways[1]?.hop.outcome.kind === "refusal" && ways[1].hop.outcome.code, "UNKNOWN_WAYPOINT");
});

Deno.test("explain: another network up to its gateway; without alternative names no identity is accepted behind it", () => {
  const remote = (fields: Parameters<typeof service>[0] = {}) =>
    stateOf(
      CLIENT,
      service({ ...SVC.service, vips: ["/10.96.0.1"], ports: { 80: 8080 }, ...fields }),
      server("far", { network: "net-2", networkGateway: gateway("/10.0.0.7", 15008), ips: [] }),
      workload({ uid: "gw", name: "gw", namespace: "istio-system", serviceAccount: "gw", ips: ["10.0.0.7"] }),
    );
  const named = explained(
    remote({ subjectAltNames: ["spiffe://cluster.local/ns/app/sa/web"] }),
    "client",
    "10.96.0.1:80",
  );
  const [{ hop }] = named.ways as [Explanation["ways"][number]];
  assert.ok(hop.outcome.kind === "route");
  assert.deepEqual(
    [named.outlook, hop.outcome.protocol, hop.outcome.leadsTo, hop.outcome.authority, hop.outcome.expectsBehind],
    ["allowed", "DOUBLEHBONE", "gateway", "web.app.svc.cluster.local:80", ["spiffe://cluster.local/ns/app/sa/web"]],
  );
  assert.equal(hop.admission, null);
  const nameless = explained(remote(), "client", "10.96.0.1:80");
  assert.equal(nameless.outlook, "refused");
  const { outcome } = nameless.ways[0]!.hop;
  assert.ok(outcome.kind === "refusal");
  assert.equal(outcome.code, "NOBODY_EXPECTED");
  assert.match(
    outcome.message,
    /^no identity is acceptable behind gw: app\/web\S+ .* has no subject alternative names/,
  );
});

Deno.test("explain: refusals of the client's own proxy", () => {
  const state = stateOf(
    CLIENT,
    SVC,
    workload({ uid: "anon", name: "anon", namespace: "app", ips: ["10.0.0.8"], protocol: "HBONE", trustDomain: "" }),
    ONE,
  );
  const refusal = (from: string, to: string) => {
    const { outcome } = explained(state, from, to).ways[0]!.hop;
    return outcome.kind === "refusal" ? outcome.code : outcome.leadsTo;
  };
  assert.equal(refusal("client", "127.0.0.1:15001"), "RECURSIVE_CALL");
  assert.equal(refusal("client", "10.96.0.1:81"), "NO_HEALTHY_UPSTREAM");
  assert.equal(refusal("anon", "10.96.0.1:80"), "NO_IDENTITY");
  assert.equal(refusal("client", "192.0.2.1:443"), "outside");
});

Deno.test("explain: a host name that the proxy would resolve, an address that it would look up on demand", () => {
  const state = stateOf(
    CLIENT,
    service({ namespace: "app", hostname: "ext.example.com", vips: ["/240.0.0.1"], ports: { 443: 443 } }),
    workload({ uid: "ext", name: "ext", hostname: "ext.example.com", services: { "app/ext.example.com": {} } }),
  );
  const { outcome } = explained(state, "client", "240.0.0.1:443").ways[0]!.hop;
  assert.equal(outcome.kind === "route" && outcome.dial, "ext.example.com:443");
  const onDemand = explained(state, "client", "192.0.2.1:443", { ...SETTINGS, onDemand: true });
  assert.deepEqual(rules(onDemand), ["outbound.on-demand", "upstream.none", "outbound.passthrough"]);
});

Deno.test("explain: a client without a proxy has no identity, whichever endpoint the node chooses", () => {
  const strict = policy({
    name: "strict",
    namespace: "app",
    action: "Deny",
    rules: [[[match({ notPrincipals: [{ kind: "Presence" }] })]]],
  });
  const plain = workload({ uid: "plain", name: "plain", namespace: "old", ips: ["10.0.0.20"] });
  const state = stateOf(CLIENT, SVC, ONE, TWO, plain, strict);
  const { ways, outlook, from } = explained(state, "old/plain", "10.96.0.1:80");
  assert.deepEqual([outlook, from?.protocol], ["refused", "TCP"]);
  assert.deepEqual(ways.map(({ chance, hop }) => [chance, hop.by, hop.outcome.kind === "route" && hop.outcome.dial]), [
    [0.5, "client", "10.0.0.2:8080"],
    [0.5, "client", "10.0.0.3:8080"],
  ]);
  const outside = explained(state, "192.0.2.7", "10.0.0.2:8080");
  assert.deepEqual([outside.from, outside.fromAddress, outside.outlook], [null, "192.0.2.7", "refused"]);
  assert.equal(explained(state, "192.0.2.7", "192.0.2.8:80").outlook, "allowed");
  assert.match(explained(state, "192.0.2.7", "10.96.0.1:81").summary, /no endpoint of app\/web\S+ has port 81$/);
});

Deno.test("explain: targets by name", () => {
  const headless = service({
    namespace: "app",
    hostname: "db.app.svc.cluster.local",
    name: "db",
    ports: { 5432: 5432 },
  });
  const db = workload({
    uid: "db-0",
    name: "db-0",
    namespace: "app",
    ips: ["10.0.0.30"],
    protocol: "HBONE",
    services: { "app/db.app.svc.cluster.local": { 5432: 5432 } },
  });
  const state = stateOf(CLIENT, SVC, ONE, headless, db);
  const address = (to: string) => explained(state, "client", to).to.address;
  assert.equal(address("app/web:80"), "10.96.0.1:80");
  assert.equal(address("app/web.app.svc.cluster.local:80"), "10.96.0.1:80");
  assert.equal(address("app/web-1:8080"), "10.0.0.2:8080");
  assert.equal(address("app/db:5432"), "10.0.0.30:5432");
  assert.equal(address("WEB.:80"), "10.96.0.1:80");
  assert.equal(address("six:80"), "[fd00:96::1]:80");
  assert.equal(address("[fd00:96::1]:80"), "[fd00:96::1]:80");
  assert.equal(explained(state, "client", "[fd00:96::1]:80").fromAddress, "fd00::1", "of the target's family");
});

Deno.test("an endpoint that connections avoid is named with the reason, and no way leads to it", () => {
  const state = new MeshState(null, new MemoryNetwork());
  state.apply([CLIENT, SVC, ONE, TWO]);
  state.health!.failed({ workload: ONE.workload, port: 8080 }, "io error: Connection refused (os error 111)");
  const { ways } = explained(state, "client", "web:80");
  assert.deepEqual(ways.map(({ chance, hop }) => [chance, hop.outcome.kind === "route" && hop.outcome.dial]), [
    [1, "10.0.0.3:15008"],
  ]);
  const reason = ways[0]!.hop.because.find(({ subject }) => subject === "web-1");
  assert.deepEqual(reason, {
    rule: "endpoint.left-out",
    subject: "web-1",
    text: "web-1: set back for another 1.0 s, as a connection to it failed, the last one by: " +
      "io error: Connection refused (os error 111)",
  });
});

Deno.test("explain agrees with the decisions for real connections", () => {
  const targets = fc.constantFrom("10.0.0.1:80", "10.0.0.2:443", "[fd00::1]:8080", "10.0.0.9:80");
  fc.assert(fc.property(CHANGES, WORKLOAD, targets, (changes, client, to) => {
    const source = {
      ...client,
      uid: "the-client" as never,
      protocol: "HBONE",
      workloadIps: [socket("10.9.9.9:1").ip],
    } as const;
    const state = new MeshState();
    state.apply([...changes, { kind: "workload", workload: source, endpoints: new Map() }]);
    const { ways, outlook } = explained(state, "the-client", to);
    const target = socket(to);
    const request = {
      source,
      sourceIp: source.workloadIps[0]!,
      target,
      network: "",
      hbonePort: 15008,
      asked: null,
      tried: null,
    };
    const real = resolveOutbound(state, request, () => 0);
    const { outcome, admission } = ways[0]!.hop;
    if (real.kind === "refusal") return assert.equal(outcome.kind === "refusal" && outcome.message, real.message);
    if (real.kind !== "route" || outcome.kind !== "route") return assert.notEqual(outlook, undefined);
    assert.deepEqual([outcome.protocol, outcome.dial], [real.protocol, formatAddress(real.actual)]);
    if (admission === null || admission.decision === null) return;
    const port = Number(admission.application!.split(":").at(-1));
    const identity = real.protocol === "TCP" ? null : identityOf(source);
    const call = {
      destination: real.destination!,
      source: { ip: request.sourceIp, port: 0 },
      identity,
      target: { ip: real.actual.ip, port },
    };
    assert.equal(admission.allow, authorize(state, call).allow);
  }));
});
