import { strict as assert } from "node:assert";
import type { PeerAuthentication, TlsMode } from "./objects.ts";
import { applicable, convert, enforced, outerModes, strictKey } from "./peer_policies.ts";

const ROOT = "istio-system";
const STRICT = strictKey(ROOT);
const WEB = { app: "web" };

function peer(fields: Partial<PeerAuthentication>): PeerAuthentication {
  const defaults = { namespace: "app", name: "p", selector: null, created: null, mode: "UNSET", ports: [] } as const;
  return { kind: "PeerAuthentication", ...defaults, ...fields };
}

/** The names of policies that a workload `web` of `app` enforces. */
function namesOf(...all: readonly PeerAuthentication[]): readonly string[] {
  return enforced(applicable(all, "app", WEB, ROOT), ROOT);
}

const mesh = (mode: TlsMode) => peer({ namespace: ROOT, name: "mesh", mode });
const own = (mode: TlsMode, ports: Record<number, TlsMode> = {}) =>
  peer({ selector: WEB, mode, ports: Object.entries(ports).map(([port, mode]) => ({ port: Number(port), mode })) });
const CONVERTED = "app/converted_peer_authentication_p";

Deno.test("peer authentications: the nearest level with a mode decides", () => {
  assert.deepEqual(namesOf(), []);
  assert.deepEqual(namesOf(mesh("STRICT")), [STRICT]);
  assert.deepEqual(namesOf(mesh("STRICT"), peer({ mode: "PERMISSIVE" })), []);
  assert.deepEqual(namesOf(mesh("STRICT"), peer({ mode: "UNSET" })), [STRICT]);
  assert.deepEqual(namesOf(mesh("PERMISSIVE"), own("STRICT")), [STRICT]);
  assert.deepEqual(namesOf(mesh("STRICT"), own("DISABLE")), []);
  assert.deepEqual(namesOf(mesh("STRICT"), peer({ namespace: "other", mode: "DISABLE" })), [STRICT]);
  assert.deepEqual(namesOf(mesh("STRICT"), peer({ selector: { app: "cart" }, mode: "DISABLE" })), [STRICT]);
});

Deno.test("peer authentications: of two of one level the oldest counts", () => {
  const young = peer({ name: "young", mode: "STRICT", created: "2026-02-01T00:00:00.000Z" });
  const old = peer({ name: "old", mode: "PERMISSIVE", created: "2026-01-01T00:00:00.000Z" });
  assert.deepEqual([namesOf(young, old), namesOf(young, peer({ name: "unknown", mode: "DISABLE" }))], [[], [STRICT]]);
});

Deno.test("peer authentications: modes of ports (xds X272 to X277)", () => {
  const outer = outerModes([], "app", ROOT);
  assert.deepEqual(namesOf(own("STRICT", { 9090: "STRICT" })), [STRICT]);
  assert.equal(convert(own("STRICT", { 9090: "STRICT" }), outer, ROOT), null);
  assert.deepEqual(namesOf(own("STRICT", { 9090: "PERMISSIVE" })), [CONVERTED]);
  assert.deepEqual(namesOf(own("PERMISSIVE", { 9090: "STRICT" })), [CONVERTED]);
  const exception = convert(
    own("UNSET", { 9090: "PERMISSIVE", 8080: "STRICT" }),
    { mesh: "STRICT", namespace: null },
    ROOT,
  );
  const clauses = exception?.rules.map((rule) =>
    rule.map(([match]) => [match?.notDestinationPorts, match?.notPrincipals])
  );
  assert.deepEqual(clauses, [[[[9090], []], [[], [{ kind: "Presence" }]]]]);
  const ports = convert(own("PERMISSIVE", { 9090: "STRICT", 8080: "STRICT" }), outer, ROOT);
  assert.deepEqual(ports?.rules.map((rule) => rule[0]?.[0]?.destinationPorts), [[8080], [9090]]);
});
