/** The mesh of `docs/spec/dataplane.md` 10.1, and outcomes as one line of text. */
import { strict as assert } from "node:assert";
import { formatAddress } from "../../net/address.ts";
import type { MeshChange } from "../model/changes.ts";
import { gateway, ip, service, type ServiceFields, socket, stateOf, workload, type WorkloadFields } from "./fixture.ts";
import type { OutboundOutcome, OutboundRequest, OutboundRoute } from "../resolve/outbound.ts";
import type { MeshState } from "../state/state.ts";

/** The client. */
export const SOURCE = workload({
  name: "source-workload",
  namespace: "ns",
  ips: ["127.0.0.1", "::1"],
  node: "local-node",
});
const WAYPOINTS = [
  workload({ name: "waypoint-workload", namespace: "ns", ips: ["127.0.0.10"], serviceAccount: "waypoint-sa" }),
  workload({
    name: "waypoint-workload-dual",
    namespace: "ns",
    ips: ["127.0.0.11", "ff06::c5"],
    serviceAccount: "waypoint-sa",
  }),
];
/** The key of the service. */
export const SVC = "ns/example.com";

/** The service, with the given fields. */
export function svcA(fields: ServiceFields = {}): MeshChange {
  return service({ namespace: "ns", hostname: "example.com", vips: ["/127.0.0.3"], ports: { 80: 8080 }, ...fields });
}

/** A pod of another node, with the given fields. */
export function pod(fields: WorkloadFields): MeshChange {
  return workload({ name: "pod", namespace: "ns", node: "remote-node", ...fields });
}

/** The client, the waypoints and these changes. */
export function mesh(...changes: MeshChange[]): MeshState {
  return stateOf(SOURCE, ...WAYPOINTS, ...changes);
}

/** An outbound request of the client to `target`. */
export function request(target: string, fields: Partial<OutboundRequest> = {}): OutboundRequest {
  return {
    source: SOURCE.workload,
    sourceIp: ip("127.0.0.1"),
    target: socket(target),
    network: "",
    hbonePort: 15008,
    asked: null,
    tried: null,
    ...fields,
  };
}

/** A route as `protocol / authority / actual`, any other outcome as its own text. */
export function summary(outcome: OutboundOutcome): string {
  switch (outcome.kind) {
    case "route":
      return `${outcome.protocol} / ${outcome.authority ?? "–"} / ${formatAddress(outcome.actual)}`;
    case "needs-dns":
      return `dns ${outcome.hostname}`;
    case "needs-lookup":
      return `lookup ${outcome.name}`;
    case "refusal":
      return outcome.message;
  }
}

/** The route; the test fails for any other outcome. */
export function route(outcome: OutboundOutcome): OutboundRoute {
  assert.equal(outcome.kind, "route", JSON.stringify(outcome));
  return outcome as OutboundRoute;
}

/** A pod of the service on another network. */
export const REMOTE_POD = pod({
  name: "remote",
  network: "remote",
  networkGateway: gateway("remote/10.22.1.1", 15009),
  services: { [SVC]: { 80: 8080 } },
});
/** The east-west gateway of that network. */
export const GATEWAY = workload({ name: "gateway", namespace: "istio-system", network: "remote", ips: ["10.22.1.1"] });
/** A pod of the service that takes HBONE. */
export const LOCAL_HBONE = pod({
  name: "local",
  ips: ["127.0.0.2"],
  protocol: "HBONE",
  services: { [SVC]: { 80: 8080 } },
});
