/** A small mesh and ways to ask about it, for tests of explanations. */
import { strict as assert } from "node:assert";
import { explain } from "../explain/explain.ts";
import type { ExplainError, ExplainSettings, Explanation } from "../explain/explanation.ts";
import { service, socket, workload } from "./fixture.ts";
import type { MeshState } from "../state/state.ts";

export const SETTINGS: ExplainSettings = {
  network: "",
  hbonePort: 15008,
  ownPorts: [15001, 15006, 15008],
  localhostAppTunnel: true,
  onDemand: false,
  dns: { clusterDomain: "cluster.local", searchDomains: null, preferredNamespace: null, ipv6: true },
};

export const CLIENT = workload({
  uid: "client",
  name: "client",
  namespace: "app",
  serviceAccount: "client",
  ips: ["10.0.0.1", "fd00::1"],
  protocol: "HBONE",
});
export const SVC = service({
  namespace: "app",
  hostname: "web.app.svc.cluster.local",
  name: "web",
  vips: ["/10.96.0.1", "/fd00:96::1"],
  ports: { 80: 8080 },
});

export function server(name: string, words: Parameters<typeof workload>[0] = {}) {
  return workload({
    uid: name,
    name,
    namespace: "app",
    serviceAccount: "web",
    protocol: "HBONE",
    services: { "app/web.app.svc.cluster.local": { 80: 8080 } },
    ...words,
  });
}

export const ONE = server("web-1", { ips: ["10.0.0.2"] });
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

export function explained(state: MeshState, from: string, to: string, settings = SETTINGS): Explanation {
  const answer = ask(state, from, to, settings);
  assert.ok(answer.kind === "explanation", JSON.stringify(answer));
  return answer.explanation;
}

export function mistaken(state: MeshState, from: string, to: string): ExplainError {
  const answer = ask(state, from, to);
  assert.ok(answer.kind === "error");
  return answer.error;
}
