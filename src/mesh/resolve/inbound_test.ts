import { strict as assert } from "node:assert";
import fc from "fast-check";
import { formatAddress } from "../../net/address.ts";
import { parseAuthority } from "../headers/authority.ts";
import type { MeshChange } from "../model/changes.ts";
import {
  gateway,
  ip,
  service,
  type ServiceFields,
  socket,
  stateOf,
  workload,
  type WorkloadFields,
} from "../testkit/fixture.ts";
import type { ApplicationTunnel, GatewayAddress } from "../model/model.ts";
import type { InboundRefusal, InboundRequest, InboundRoute } from "./inbound.ts";
import { isFromOtherNetwork, resolveInbound, resolvePassthrough } from "./inbound.ts";
import type { NeedsLookup } from "./outcome.ts";

const SERVER_HOST = "server.default.svc.cluster.local";
const SERVER_KEY = `default/${SERVER_HOST}`;
const WAYPOINT_KEY = "default/waypoint.default.svc.cluster.local";
const OWN_PORTS = new Set([15001, 15006, 15008]);

function pod(name: string, address: string, fields: WorkloadFields): MeshChange & { kind: "workload" } {
  return workload({ name, uid: name, namespace: "default", protocol: "HBONE", ips: [address], ...fields });
}

interface Attachment {
  readonly workload?: GatewayAddress;
  readonly service?: GatewayAddress;
  readonly tunnel?: ApplicationTunnel;
  readonly serverService?: ServiceFields;
  readonly serverPorts?: Record<number, number>;
}

/** The mesh of `docs/spec/dataplane.md` 10.2, and its pods by address. */
function mesh({ workload: wp, service: swp, tunnel, serverService, serverPorts }: Attachment = {}) {
  const pods = [
    pod("client", "10.0.0.1", {}),
    pod("server", "10.0.0.2", { waypoint: wp ?? null, services: { [SERVER_KEY]: serverPorts ?? { 80: 8080 } } }),
    pod("waypoint", "10.0.0.3", { applicationTunnel: tunnel ?? null, services: { [WAYPOINT_KEY]: {} } }),
  ];
  const state = stateOf(
    ...pods,
    service({
      namespace: "default",
      hostname: SERVER_HOST,
      vips: ["/10.10.0.1"],
      ports: { 80: 8080 },
      waypoint: swp ?? null,
      ...serverService,
    }),
    service({
      namespace: "default",
      hostname: "waypoint.default.svc.cluster.local",
      vips: ["/10.10.0.2"],
      ports: { 15008: 15008 },
    }),
  );
  return {
    state,
    local: (address: string) => pods.find(({ workload }) => workload.workloadIps[0] === address)!.workload,
  };
}

type Outcome = InboundRoute | InboundRefusal | NeedsLookup;

function ask(
  attachment: Attachment,
  localIp: string,
  authority: string,
  fields: Partial<InboundRequest> = {},
): Outcome {
  const { state, local } = mesh(attachment);
  const request: InboundRequest = {
    method: "CONNECT",
    authority,
    local: local(localIp),
    localIp: ip(localIp),
    network: "",
    ownPorts: OWN_PORTS,
    localhostAppTunnel: false,
    forwardedHost: null,
    asked: null,
    ...fields,
  };
  const traced = resolveInbound(state, request, []);
  const outcome = resolveInbound(state, request);
  if (outcome.kind !== "needs-lookup") assert.deepEqual({ ...traced, because: [] }, { ...outcome, because: [] });
  return outcome;
}

/** `destination (PROXY target)`, or `status text`. */
function summary(outcome: Outcome): string {
  switch (outcome.kind) {
    case "route": {
      const proxy = outcome.proxyTarget === null ? "" : ` (${formatAddress(outcome.proxyTarget)})`;
      return formatAddress(outcome.destination) + proxy;
    }
    case "refusal":
      return `${outcome.status} ${outcome.message}`;
    case "needs-lookup":
      return `lookup ${outcome.name}`;
  }
}

const PROXY: ApplicationTunnel = { protocol: "PROXY", port: 15088 };
const TO_POD = gateway("/10.0.0.3");
const TO_VIP = gateway("/10.10.0.2");
const SERVER_80 = `${SERVER_HOST}:80`;

const CASES: readonly [string, Attachment, string, string, string][] = [
  ["dataplane IN-01, xds X211", {}, "10.0.0.2", "10.0.0.2:8080", "10.0.0.2:8080"],
  ["dataplane IN-02, xds X212", {}, "10.0.0.2", SERVER_80, "10.0.0.2:8080"],
  ["dataplane IN-03, xds X213", { workload: TO_POD }, "10.0.0.3", "10.0.0.2:8080", "10.0.0.3:8080"],
  ["dataplane IN-04, xds X214", { workload: TO_VIP }, "10.0.0.3", "10.0.0.2:8080", "10.0.0.3:8080"],
  [
    "dataplane IN-05, xds X215",
    { workload: TO_VIP, tunnel: PROXY },
    "10.0.0.3",
    "10.0.0.2:8080",
    "10.0.0.3:15088 (10.0.0.2:8080)",
  ],
  ["dataplane IN-06, xds X216", { service: TO_POD }, "10.0.0.3", "10.10.0.1:8080", "10.0.0.3:8080"],
  ["dataplane IN-07, xds X217", { service: TO_VIP }, "10.0.0.3", "10.10.0.1:8080", "10.0.0.3:8080"],
  [
    "dataplane IN-08, xds X218",
    { service: TO_VIP, tunnel: PROXY },
    "10.0.0.3",
    "10.10.0.1:8080",
    "10.0.0.3:15088 (10.10.0.1:8080)",
  ],
  ["dataplane IN-09, xds X219", {}, "10.0.0.2", "10.0.0.1:8080", "400 ip mismatch: 10.0.0.2 != 10.0.0.1"],
  ["dataplane IN-10, xds X220", {}, "10.0.0.3", "10.0.0.1:8080", "400 ip mismatch: 10.0.0.3 != 10.0.0.1"],
  [
    "dataplane IN-11, xds X221",
    { service: TO_POD },
    "10.0.0.3",
    "10.0.0.2:8080",
    "400 ip mismatch: 10.0.0.3 != 10.0.0.2",
  ],
  [
    "dataplane IN-12, xds X222",
    { workload: TO_POD },
    "10.0.0.3",
    "10.10.0.1:8080",
    "400 ip mismatch: 10.0.0.3 != 10.10.0.1",
  ],
  ["dataplane IN-14", {}, "10.0.0.2", "10.0.0.2", "400 no valid authority pseudo header: 10.0.0.2"],
  ["dataplane IN-14", {}, "10.0.0.2", "host", "400 no valid authority pseudo header: host"],
  ["dataplane IN-15, xds X225", {}, "10.0.0.2", "10.0.0.2:15001", "503 attempted recursive call to ourselves"],
  ["xds X225", {}, "10.0.0.2", "10.0.0.2:15006", "503 attempted recursive call to ourselves"],
  ["xds X225", {}, "10.0.0.2", "10.0.0.2:15008", "503 attempted recursive call to ourselves"],
  [
    "dataplane IN-16",
    {},
    "10.0.0.2",
    "unknown.example:80",
    "503 no service or workload for hostname: unknown.example",
  ],
  [
    "dataplane IN-17",
    {},
    "10.0.0.2",
    `${SERVER_HOST}:9999`,
    `503 requested service ${SERVER_HOST}:9999 found, but cannot resolve port`,
  ],
  ["dataplane IN-20, xds X224", { serverPorts: {} }, "10.0.0.2", SERVER_80, "10.0.0.2:8080"],
  ["dataplane IN-21, xds X224", { serverService: { ports: { 80: 0 } } }, "10.0.0.2", SERVER_80, "10.0.0.2:8080"],
  [
    "xds 4.12: named port that the pod does not have",
    { serverService: { ports: { 80: 0 } }, serverPorts: {} },
    "10.0.0.2",
    SERVER_80,
    `503 requested service ${SERVER_80} found, but cannot resolve port`,
  ],
  [
    "dataplane IN-22",
    { tunnel: { protocol: "NONE", port: null } },
    "10.0.0.3",
    "10.0.0.2:8080",
    "10.0.0.3:8080",
  ],
  [
    "dataplane IN-23",
    { workload: TO_VIP, tunnel: PROXY },
    "10.0.0.3",
    "10.0.0.2:8080",
    "10.0.0.3:15088 (10.0.0.2:8080)",
  ],
  [
    "xds 4.12: own ports are looked at before the tunnel's port replaces them",
    { tunnel: PROXY },
    "10.0.0.3",
    "10.0.0.2:15008",
    "503 attempted recursive call to ourselves",
  ],
  [
    "xds 4.12: PROXY target of a hostname is the service's address",
    { tunnel: PROXY },
    "10.0.0.3",
    SERVER_80,
    "10.0.0.3:15088 (10.10.0.1:80)",
  ],
  [
    "xds 4.12: PROXY target of a service without addresses",
    { tunnel: PROXY, serverService: { vips: [] } },
    "10.0.0.3",
    SERVER_80,
    `503 requested service ${SERVER_HOST} found, but has no IP addresses`,
  ],
  [
    "xds 4.12: PROXY target on this network first, then IPv4, the last of equals",
    { tunnel: PROXY, serverService: { vips: ["other/1.1.1.1", "/::9", "/10.10.0.7", "/10.10.0.8", "/::8"] } },
    "10.0.0.3",
    SERVER_80,
    "10.0.0.3:15088 (10.10.0.8:80)",
  ],
  [
    "xds 8.1 Q12: a weighted waypoint is a waypoint",
    { serverService: { weightedWaypoints: [{ destination: TO_VIP, weight: 1 }] } },
    "10.0.0.3",
    "10.10.0.1:8080",
    "10.0.0.3:8080",
  ],
  [
    "observed O35: ports are canonical decimals",
    {},
    "10.0.0.2",
    "10.0.0.2:08080",
    "400 no valid authority pseudo header: 10.0.0.2:08080",
  ],
  ["dataplane 0: an IPv4-mapped authority is the IPv4 address", {}, "10.0.0.2", "[::ffff:10.0.0.2]:80", "10.0.0.2:80"],
];

for (const [id, attachment, localIp, authority, expected] of CASES) {
  Deno.test(`${id}: ${authority} at ${localIp}`, () => {
    assert.equal(summary(ask(attachment, localIp, authority)), expected);
  });
}

Deno.test("dataplane IN-13: only CONNECT", () => {
  assert.equal(summary(ask({}, "10.0.0.2", "10.0.0.2:80", { method: "GET" })), "400 expected method CONNECT, got GET");
});

Deno.test("observed O35: all ports of the proxy itself are refused", () => {
  const outcome = ask({}, "10.0.0.2", "10.0.0.2:15000", { ownPorts: new Set([15000]) });
  assert.equal(summary(outcome), "503 attempted recursive call to ourselves");
});

Deno.test("dataplane 1.7 step 16: applications behind a PROXY tunnel over loopback", () => {
  const over = (tunnel: ApplicationTunnel, localhostAppTunnel: boolean) => {
    const outcome = ask({ tunnel }, "10.0.0.3", "10.0.0.2:8080", { localhostAppTunnel });
    assert.ok(outcome.kind === "route");
    return [formatAddress(outcome.dial), formatAddress(outcome.destination), outcome.overLoopback];
  };
  assert.deepEqual(over(PROXY, true), ["127.0.0.1:15088", "10.0.0.3:15088", true]);
  assert.deepEqual(over(PROXY, false), ["10.0.0.3:15088", "10.0.0.3:15088", false]);
  assert.deepEqual(over({ protocol: "NONE", port: 9 }, true), ["10.0.0.3:9", "10.0.0.3:9", false]);
});

Deno.test("dataplane 1.7 step 8: on-demand lookup of an unknown authority, once", () => {
  const asked = new Set<string>();
  assert.equal(summary(ask({}, "10.0.0.3", "10.9.9.9:80", { asked })), "lookup /10.9.9.9");
  asked.add("/10.9.9.9");
  assert.equal(summary(ask({}, "10.0.0.3", "10.9.9.9:80", { asked })), "400 ip mismatch: 10.0.0.3 != 10.9.9.9");
  const attached = { workload: gateway("default/later.example") };
  assert.equal(summary(ask(attached, "10.0.0.3", "10.0.0.2:80", { asked })), "lookup default/later.example");
});

Deno.test("dataplane 1.7 step 13: the service that the client used", () => {
  const guess = (attachment: Attachment, authority: string, forwardedHost: string | null) => {
    const outcome = ask(attachment, "10.0.0.2", authority, { forwardedHost });
    assert.ok(outcome.kind === "route");
    return outcome.service?.hostname ?? null;
  };
  assert.equal(guess({}, "10.0.0.2:1234", SERVER_HOST), SERVER_HOST, "named by the client");
  assert.equal(guess({}, "10.0.0.2:1234", "other.example"), null, "named, but it does not have this pod");
  assert.equal(guess({}, "10.0.0.2:8080", null), SERVER_HOST, "target port");
  assert.equal(guess({ serverPorts: { 80: 7777 } }, "10.0.0.2:7777", null), SERVER_HOST, "the endpoint's own port");
  assert.equal(guess({}, "10.0.0.2:81", null), null);
});

Deno.test("dataplane 1.8: passthrough", () => {
  const { state, local } = mesh();
  const at = (target: string) =>
    resolvePassthrough(state, { local: local("10.0.0.2"), target: socket(target), ownPorts: OWN_PORTS });
  const refused = at("10.9.9.9:15006");
  assert.ok(refused.kind === "refusal");
  assert.equal(refused.message, "attempted recursive call to ourselves");
  const route = at("10.0.0.2:8080");
  assert.ok(route.kind === "route");
  assert.equal(formatAddress(route.dial), "10.0.0.2:8080");
  assert.equal(route.service?.hostname, SERVER_HOST);
});

Deno.test("dataplane 1.8: a plain connection cannot reach the port of a PROXY tunnel", () => {
  for (
    const [protocol, port, expected] of [["PROXY", 15088, "refusal"], ["NONE", 15088, "route"], [
      "PROXY",
      null,
      "route",
    ]] as const
  ) {
    const { state, local } = mesh({ tunnel: { protocol, port } });
    const target = socket("10.0.0.3:15088");
    const outcome = resolvePassthrough(state, { local: local("10.0.0.3"), target, ownPorts: OWN_PORTS });
    assert.equal(outcome.kind, expected);
    const other = { ip: target.ip, port: 8080 };
    assert.equal(
      resolvePassthrough(state, { local: local("10.0.0.3"), target: other, ownPorts: OWN_PORTS }).kind,
      "route",
    );
  }
});

Deno.test("dataplane 1.7 step 12: tunnels from another network", () => {
  assert.equal(isFromOtherNetwork(null, "net"), false);
  assert.equal(isFromOtherNetwork("NET", "net"), false);
  assert.equal(isFromOtherNetwork("other", "net"), true);
  assert.equal(isFromOtherNetwork("", "net"), true);
});

Deno.test("dataplane 1.7 step 7: authorities", () => {
  const host = (hostname: string, port: number) => ({ kind: "hostname", hostname, port });
  assert.deepEqual(parseAuthority("[::1]:80"), { kind: "address", address: socket("[::1]:80") });
  assert.deepEqual(parseAuthority("*.wild.example.com:443"), host("*.wild.example.com", 443));
  assert.deepEqual(parseAuthority("a_b.example:0"), host("a_b.example", 0));
  for (
    const bad of [
      "",
      ":80",
      "host:",
      "host:65536",
      "host:-1",
      "user@host:80",
      "ho st:80",
      "[::1%eth0]:80",
      "::1:80",
      "host:8\u0660",
      "host\u0000:80",
      "a/b:80",
      `${"a".repeat(254)}:80`,
    ]
  ) {
    assert.equal(parseAuthority(bad), null, bad);
  }
});

Deno.test("parsing any authority does not throw", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary", maxLength: 60 }), fc.string(), fc.webAuthority()), (text) => {
      const outcome = ask({}, "10.0.0.2", text);
      assert.ok(outcome.kind === "route" || outcome.kind === "refusal");
    }),
  );
});
