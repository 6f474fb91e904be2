/** A small mesh and functions that question it, for tests of explanations. */
import { strict as assert } from "node:assert";
import { explain } from "../explain/explain.ts";
import type { ExplainError, ExplainSettings, Explanation } from "../explain/explanation.ts";
import { service, socket, workload } from "./fixture.ts";
import type { MeshState } from "../state/state.ts";

/** The settings of the proxy. */
export const SETTINGS: ExplainSettings = {
  network: "",
  hbonePort: 15008,
  ownPorts: [15001, 15006, 15008],
  localhostAppTunnel: true,
  onDemand: false,
  dns: { clusterDomain: "cluster.local", searchDomains: null, preferredServiceNamespace: null, ipv6: true },
};

/** A client with a proxy. */
export const CLIENT = workload({
  uid: "client",
  name: "client",
  namespace: "app",
  serviceAccount: "client",
  ips: ["10.0.0.1", "fd00::1"],
  protocol: "HBONE",
});
/** The service that clients connect to. */
export const SVC = service({
  namespace: "app",
  hostname: "web.app.svc.cluster.local",
  name: "web",
  vips: ["/10.96.0.1", "/fd00:96::1"],
  ports: { 80: 8080 },
});

/** A pod of the service, with the given fields. */
export function server(name: string, fields: Parameters<typeof workload>[0] = {}) {
  return workload({
    uid: name,
    name,
    namespace: "app",
    serviceAccount: "web",
    protocol: "HBONE",
    services: { "app/web.app.svc.cluster.local": { 80: 8080 } },
    ...fields,
  });
}

/** A pod with capacity 1. */
export const ONE = server("web-1", { ips: ["10.0.0.2"] });
/** A pod with capacity 3. */
export const TWO = server("web-2", { ips: ["10.0.0.3", "fd00::3"], capacity: 3 });

function ask(state: MeshState, from: string, to: string, settings = SETTINGS) {
  const names = new Map([["web", ["10.96.0.1"]], ["empty", []], ["six", []]]);
  return explain(
    state,
    settings,
    { from, to },
    (_client, name, v4) =>
      name === "six" && !v4
        ? [socket("[fd00:96::1]:1").ip]
        : names.get(name)?.map((ip) => socket(`${ip}:1`).ip) ?? null,
  );
}

/** The explanation; the test fails where the answer is an error. */
export function explained(state: MeshState, from: string, to: string, settings = SETTINGS): Explanation {
  const answer = ask(state, from, to, settings);
  assert.ok(answer.kind === "explanation", JSON.stringify(answer));
  return answer.explanation;
}

/** The error; the test fails where the answer is an explanation. */
export function mistaken(state: MeshState, from: string, to: string): ExplainError {
  const answer = ask(state, from, to);
  assert.ok(answer.kind === "error");
  return answer.error;
}
