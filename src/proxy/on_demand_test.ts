/** Connections to destinations that are not in the mesh, with `XDS_ON_DEMAND` (`docs/spec/xds-state.md` 2.9). */
import { strict as assert } from "node:assert";
import { rawClient } from "../hbone/testkit/peer.ts";
import type { MeshChange } from "../mesh/model/changes.ts";
import { DEFAULT_SERVICE } from "../mesh/model/defaults.ts";
import { namespacedHostname, type Service } from "../mesh/model/model.ts";
import { at, echo, Testbed, type TestNode, workloadAt } from "../dataplane/testkit/testbed.ts";

const CLIENT = "10.0.0.1", SERVER = "10.0.0.2";
const PEER = "spiffe://cluster.local/ns/default/sa/peer";
const ENV = { XDS_ON_DEMAND: "true", ISTIO_META_DNS_CAPTURE: "false" };

interface Scene {
  readonly bed: Testbed;
  readonly client: TestNode;
  readonly server: TestNode;
}

/** Two pods; the mesh of the client's proxy has only its own pod. */
function scene(): Scene {
  const bed = new Testbed();
  const server = bed.node("server", SERVER, { workload: null });
  server.plane.applyMesh([workloadAt("server", SERVER, { protocol: "HBONE" })]);
  const client = bed.node("client", CLIENT, { env: ENV });
  bed.listen(`${SERVER}:8080`, echo);
  return { bed, client, server };
}

Deno.test("xds 2.9: a connection waits for the lookup of its destination", () => {
  const { bed, client } = scene();
  const socket = bed.connect(CLIENT, `${SERVER}:8080`);
  assert.deepEqual(client.lookedUp, [`/${SERVER}`]);
  socket.send("x");
  bed.run();
  assert.equal(socket.text, "");
  client.plane.applyMesh([workloadAt("server", SERVER, { protocol: "HBONE" })]);
  client.plane.lookups!.settle(`/${SERVER}`, "known");
  bed.run();
  assert.equal(socket.text, "x");
  socket.end();
  bed.run();
  assert.match(client.accessLine, /dst\.hbone_addr=10\.0\.0\.2:8080/);
  assert.deepEqual(client.lookedUp, [`/${SERVER}`], "one question was enough");
  bed.assertClean();
});

Deno.test("xds 2.9: a destination that the control plane does not have is passed through, after one lookup for each connection", () => {
  const { bed, client } = scene();
  const outside = "192.0.2.1";
  bed.listen(`${outside}:80`, echo);
  const socket = bed.connect(CLIENT, `${outside}:80`);
  socket.send("x");
  client.plane.lookups!.settle(`/${outside}`, "absent");
  bed.run();
  assert.equal(socket.text, "x");
  assert.deepEqual(client.lookedUp, [`/${outside}`]);
  socket.end();
  bed.run();
  bed.assertClean();
});

for (
  const [answer, line] of [
    ["expired", /error="the control plane did not say in time what \/10\.0\.0\.2 is"$/],
    ["refused", /error="the control plane cannot be asked what \/10\.0\.0\.2 is: too many wait for it"$/],
  ] as const
) {
  Deno.test(`xds 8.1 Q5: a lookup that is ${answer} ends the connection, and nothing is sent in plain text`, () => {
    const { bed, client } = scene();
    const socket = bed.connect(CLIENT, `${SERVER}:8080`);
    client.plane.lookups!.settle(`/${SERVER}`, answer);
    bed.run();
    assert.equal(socket.fate, "reset");
    assert.match(client.accessLine, line);
    bed.assertClean();
  });
}

Deno.test("xds 8.1 Q5: a client that closes ends its wait for a lookup", () => {
  const { bed, client } = scene();
  const socket = bed.connect(CLIENT, `${SERVER}:8080`);
  socket.reset();
  bed.run();
  assert.equal(client.pod.connectionCount, 0);
  client.plane.lookups!.settle(`/${SERVER}`, "known");
  bed.run();
  bed.assertClean();
});

Deno.test("observed O3: a service without endpoints is looked up; the call uses the endpoints that arrive", () => {
  const { bed, client } = scene();
  const hostname = "web.default.svc.cluster.local", vip = "10.10.0.1";
  const key = namespacedHostname("default", hostname);
  const service: Service = {
    ...DEFAULT_SERVICE,
    key,
    name: "web",
    namespace: "default",
    hostname,
    vips: [{ network: "", ip: at(`${vip}:1`).ip }],
    ports: new Map([[80, 8080]]),
  };
  client.plane.applyMesh([{ kind: "service", service, endpoints: [] }]);
  const refused = bed.connect(CLIENT, `${vip}:80`);
  assert.deepEqual(client.lookedUp, [key]);
  client.plane.lookups!.settle(key, "known");
  bed.run();
  assert.equal(refused.fate, "reset");
  assert.match(client.accessLine, /error="no healthy upstream: 10\.10\.0\.1:80"$/);
  const socket = bed.connect(CLIENT, `${vip}:80`);
  assert.equal(client.lookedUp.length, 2);
  client.plane.applyMesh([{
    ...workloadAt("server", SERVER, { protocol: "HBONE", services: [key] }),
    endpoints: new Map([[key, new Map([[80, 8080]])]]),
  } as MeshChange]);
  client.plane.lookups!.settle(key, "known");
  socket.send("x").end();
  bed.run();
  assert.deepEqual([socket.text, socket.fate], ["x", "fin"]);
  bed.assertClean();
});

Deno.test("xds 2.9: a CONNECT to another address waits for the lookup of the workload that has the callee as its waypoint", () => {
  const bed = new Testbed();
  const waypoint = bed.node("waypoint", SERVER, { env: ENV });
  bed.listen(`${SERVER}:8080`, echo);
  const peer = rawClient(bed.host(CLIENT), at(`${SERVER}:15008`), bed.context(PEER));
  const open = () => {
    const stream = peer.open([[":method", "CONNECT"], [":authority", "10.0.0.9:8080"]]);
    bed.run();
    return stream;
  };
  const refused = open();
  assert.equal(refused.headers, null);
  waypoint.plane.lookups!.settle("/10.0.0.9", "absent");
  bed.run();
  assert.deepEqual(refused.headers, [[":status", "400"]]);
  const behind = { kind: "address", network: "", ip: at(`${SERVER}:1`).ip, hboneMtlsPort: 15008 } as const;
  const admitted = open();
  waypoint.plane.applyMesh([workloadAt("behind", "10.0.0.9", { waypoint: behind })]);
  waypoint.plane.lookups!.settle("/10.0.0.9", "known");
  bed.run();
  assert.equal(admitted.headers?.[0]?.[1], "200");
  const silent = open();
  assert.equal(silent.headers?.[0]?.[1], "200", "known by now");
  peer.close();
  bed.assertClean();
});
