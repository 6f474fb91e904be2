/** The mesh of `docs/spec/dataplane.md` 10.1, and one line for each outcome. */
import { strict as assert } from "node:assert";
import { formatAddress } from "../../net/address.ts";
import type { MeshChange } from "../model/changes.ts";
import { gateway, ip, service, type ServiceWords, socket, stateOf, workload, type WorkloadWords } from "./fixture.ts";
import type { OutboundOutcome, OutboundRequest, OutboundRoute } from "../resolve/outbound.ts";
import type { MeshState } from "../state/state.ts";

export const SOURCE = workload({
  name: "source-workload",
  namespace: "ns",
  ips: ["127.0.0.1", "::1"],
  node: "local-node",
});
export const WAYPOINTS = [
  workload({ name: "waypoint-workload", namespace: "ns", ips: ["127.0.0.10"], serviceAccount: "waypoint-sa" }),
  workload({
    name: "waypoint-workload-dual",
    namespace: "ns",
    ips: ["127.0.0.11", "ff06::c5"],
    serviceAccount: "waypoint-sa",
  }),
];
export const SVC = "ns/example.com";

export function svcA(words: ServiceWords = {}): MeshChange {
  return service({ namespace: "ns", hostname: "example.com", vips: ["/127.0.0.3"], ports: { 80: 8080 }, ...words });
}

export function pod(words: WorkloadWords): MeshChange {
  return workload({ name: "pod", namespace: "ns", node: "remote-node", ...words });
}

export function mesh(...changes: MeshChange[]): MeshState {
  return stateOf(SOURCE, ...WAYPOINTS, ...changes);
}

export function request(target: string, words: Partial<OutboundRequest> = {}): OutboundRequest {
  return {
    source: SOURCE.workload,
    sourceIp: ip("127.0.0.1"),
    target: socket(target),
    network: "",
    hboneInboundPort: 15008,
    asked: null,
    ...words,
  };
}

/** `protocol / authority / actual`, or the refusal's text. */
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

export function route(outcome: OutboundOutcome): OutboundRoute {
  assert.equal(outcome.kind, "route", JSON.stringify(outcome));
  return outcome as OutboundRoute;
}

export const REMOTE_POD = pod({
  name: "remote",
  network: "remote",
  networkGateway: gateway("remote/10.22.1.1", 15009),
  services: { [SVC]: { 80: 8080 } },
});
export const GATEWAY = workload({ name: "gateway", namespace: "istio-system", network: "remote", ips: ["10.22.1.1"] });
export const LOCAL_HBONE = pod({
  name: "local",
  ips: ["127.0.0.2"],
  protocol: "HBONE",
  services: { [SVC]: { 80: 8080 } },
});
