import { strict as assert } from "node:assert";
import { gateway, ip, seededRandom, service, socket, stateOf, workload } from "../testkit/fixture.ts";
import { workloadUid } from "../model/model.ts";
import {
  GATEWAY,
  LOCAL_HBONE,
  mesh,
  pod,
  REMOTE_POD,
  request,
  route,
  summary,
  SVC,
  svcA,
} from "../testkit/outbound_fixture.ts";
import { refuseRecursiveOutbound, resolveOutbound } from "./outbound.ts";

const OWN_PORTS = new Set([15001, 15006, 15008]);

Deno.test("xds 4.11 row 3: a connection to the address of a pod on another network", () => {
  const source = workload({ name: "source", namespace: "ns", network: "elsewhere", ips: ["127.0.0.1"] });
  const state = stateOf(
    source,
    pod({ network: "elsewhere", ips: ["10.0.0.9"] }),
    pod({ name: "b", ips: ["10.0.0.2"] }),
  );
  const asking = { source: source.workload };
  assert.equal(
    summary(resolveOutbound(state, request("10.0.0.2:80", asking), Math.random)),
    "TCP / – / 10.0.0.2:80",
    "nobody has it on the source's own network",
  );
  const odd = stateOf(
    source,
    service({ namespace: "ns", hostname: "h", vips: ["elsewhere/10.1.0.1"], ports: { 80: 80 } }),
    pod({ ips: ["10.0.0.2"], services: { "ns/h": {} } }),
  );
  assert.equal(
    summary(resolveOutbound(odd, request("10.1.0.1:80", asking), Math.random)),
    "no service for target address: 10.1.0.1:80",
  );
});

Deno.test("dataplane OB-28: connections over loopback to the proxy's own ports", () => {
  for (const target of ["127.0.0.1:15001", "127.1.2.3:15006", "[::1]:15008"]) {
    assert.equal(
      refuseRecursiveOutbound(socket(target), OWN_PORTS)?.message,
      "attempted recursive call to ourselves",
    );
  }
  for (const target of ["127.0.0.1:80", "10.0.0.1:15001"]) {
    assert.equal(refuseRecursiveOutbound(socket(target), OWN_PORTS), null);
  }
});

Deno.test("dataplane 1.5: connections to the proxy's own ports that were not redirected", () => {
  const here = socket("10.0.0.1:15001"), redirected = socket("127.0.0.1:15001");
  assert.equal(refuseRecursiveOutbound(here, OWN_PORTS, { local: here })?.code, "RECURSIVE_CALL");
  assert.equal(refuseRecursiveOutbound(here, OWN_PORTS, { local: redirected }), null, "that port of somebody else");
  const app = socket("10.0.0.1:8080");
  assert.equal(refuseRecursiveOutbound(app, OWN_PORTS, { local: app }), null);
});

Deno.test("xds 4.11: identities of the next hop", () => {
  const sans = ["spiffe://cluster.local/ns/ns/sa/extra", "not an id"];
  const state = mesh(svcA({ subjectAltNames: sans }), LOCAL_HBONE);
  const through = route(resolveOutbound(state, request("127.0.0.3:80"), Math.random));
  assert.deepEqual(through.nextHopIdentities, [
    "spiffe://cluster.local/ns/ns/sa/extra",
    "spiffe://cluster.local/ns/ns/sa/default",
  ]);
  assert.deepEqual(through.finalIdentities, []);
  assert.equal(through.service?.hostname, "example.com");
  const byIp = route(resolveOutbound(state, request("127.0.0.2:80"), Math.random));
  assert.deepEqual(byIp.nextHopIdentities, ["spiffe://cluster.local/ns/ns/sa/default"]);
  assert.equal(byIp.service, null);
});

Deno.test("xds 8.1 Q13: the inner identities of double HBONE are the service's names only", () => {
  const sans = ["spiffe://cluster.local/ns/ns/sa/backend"];
  const state = mesh(svcA({ subjectAltNames: sans }), REMOTE_POD, GATEWAY);
  const found = route(resolveOutbound(state, request("127.0.0.3:80"), Math.random));
  assert.deepEqual(found.finalIdentities, sans);
  assert.deepEqual(found.nextHopIdentities, ["spiffe://cluster.local/ns/istio-system/sa/default"]);
  assert.equal(found.destination?.name, "gateway");
  assert.equal(found.service?.hostname, "example.com");
  const without = route(resolveOutbound(mesh(svcA(), REMOTE_POD, GATEWAY), request("127.0.0.3:80"), Math.random));
  assert.deepEqual(without.finalIdentities, []);
});

Deno.test("xds X203: a workload with a host name and no address", () => {
  const state = mesh(svcA(), pod({ hostname: "db.example.com", protocol: "HBONE", services: { [SVC]: {} } }));
  const outcome = resolveOutbound(state, request("127.0.0.3:80"), Math.random);
  assert.ok(outcome.kind === "needs-dns");
  assert.equal(outcome.hostname, "db.example.com");
  assert.equal(outcome.family, "ipv4");
  assert.equal(summary(outcome.complete(ip("9.9.9.9"))), "HBONE / 9.9.9.9:8080 / 9.9.9.9:15008");
});

Deno.test("xds 2.9: on-demand lookups, each name once", () => {
  const asked = new Set<string>();
  const state = mesh(
    svcA({ waypoint: gateway("ns/gone.com") }),
    workload({ name: "b", ips: ["127.0.0.2"], waypoint: gateway("net/10.0.0.1") }),
  );
  const ask = (target: string) => summary(resolveOutbound(state, request(target, { asked }), Math.random));
  assert.equal(ask("1.2.3.4:80"), "lookup /1.2.3.4");
  asked.add("/1.2.3.4");
  assert.equal(ask("1.2.3.4:80"), "TCP / – / 1.2.3.4:80");
  assert.equal(ask("127.0.0.3:80"), "lookup ns/gone.com");
  asked.add("ns/gone.com");
  assert.equal(ask("127.0.0.3:80"), "unknown waypoint: waypoint gone.com not found");
  assert.equal(ask("127.0.0.2:80"), "lookup net/10.0.0.1");
});

Deno.test("observed O3: on demand, a service or a waypoint without an endpoint is looked up once", () => {
  const waypoint = service({ namespace: "ns", hostname: "wp.com", vips: ["/10.0.0.7"], ports: { 15008: 15008 } });
  const state = mesh(
    svcA(),
    waypoint,
    workload({ name: "by-name", ips: ["127.0.0.8"], waypoint: gateway("ns/wp.com") }),
    workload({ name: "by-address", ips: ["127.0.0.9"], waypoint: gateway("/10.0.0.7") }),
  );
  const asked = new Set<string>();
  const ask = (target: string) => summary(resolveOutbound(state, request(target, { asked }), Math.random));
  assert.equal(ask("127.0.0.3:81"), "no healthy upstream: 127.0.0.3:81", "it has no such port");
  assert.equal(ask("127.0.0.3:80"), `lookup ${SVC}`);
  assert.equal(ask("127.0.0.8:80"), "lookup ns/wp.com");
  assert.equal(ask("127.0.0.9:80"), "lookup ns/wp.com");
  asked.add(SVC).add("ns/wp.com");
  assert.equal(ask("127.0.0.3:80"), "no healthy upstream: 127.0.0.3:80");
  assert.match(ask("127.0.0.8:80"), /^unknown waypoint: /);
  assert.match(ask("127.0.0.9:80"), /^unknown waypoint: /);
});

Deno.test("xds X169: one destination per connection, all of them in use", () => {
  const state = mesh(
    svcA(),
    pod({ uid: "a", ips: ["127.0.0.2"], services: { [SVC]: {} } }),
    pod({ uid: "b", ips: ["127.0.0.4"], services: { [SVC]: {} } }),
  );
  const random = seededRandom();
  const seen = new Set<string>();
  for (let i = 0; i < 50; i++) {
    seen.add(route(resolveOutbound(state, request("127.0.0.3:80"), random)).destination!.uid);
  }
  assert.deepEqual([...seen].sort(), [workloadUid("a"), workloadUid("b")]);
});

Deno.test("xds 8.1 Q1, observed O5: connections to a CIDR VIP use endpoints that were added later", () => {
  const state = mesh(svcA({ vips: [], cidrVips: [{ network: "", cidr: "10.5.0.0/16" as never }] }));
  assert.equal(
    summary(resolveOutbound(state, request("10.5.1.1:80"), Math.random)),
    "no healthy upstream: 10.5.1.1:80",
  );
  state.apply([LOCAL_HBONE]);
  assert.equal(
    summary(resolveOutbound(state, request("10.5.1.1:80"), Math.random)),
    "HBONE / 127.0.0.2:8080 / 127.0.0.2:15008",
  );
});
