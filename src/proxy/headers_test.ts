/** The CONNECT as a peer receives it (`docs/spec/dataplane.md` 2.4, 2.5, 10.4). */
import { strict as assert } from "node:assert";
import { rawClient, rawServer } from "../hbone/testkit/peer.ts";
import type { HeaderList } from "../h2/seam.ts";
import { sendAll } from "../h2/testkit/pair.ts";
import { DEFAULT_SERVICE } from "../mesh/model/defaults.ts";
import { namespacedHostname, type Service, workloadUid } from "../mesh/model/model.ts";
import { parseIp } from "../net/address.ts";
import { at, Testbed, workloadAt } from "../dataplane/testkit/testbed.ts";

const CLIENT = "10.0.0.1", SERVER = "10.0.0.2";
const BAGGAGE = "k8s.cluster.name=Kubernetes,k8s.namespace.name=default,k8s.deployment.name=client-app," +
  "service.name=client,service.version=v1";
const TRACEPARENT = `00-${"5a".repeat(16)}-${"5a".repeat(8)}-00`;

function requestOf(to: string, prepare: (bed: Testbed) => void = () => {}): { headers: HeaderList; port: number } {
  const bed = new Testbed();
  bed.node("client", CLIENT, { env: { NETWORK: "test-network" }, workload: { network: "test-network" } });
  bed.apply(workloadAt("server", SERVER, { protocol: "HBONE", network: "test-network" }));
  prepare(bed);
  const context = bed.context("spiffe://cluster.local/ns/default/sa/server");
  const { peers } = rawServer(bed.host(SERVER), at(`${SERVER}:15008`), context);
  const socket = bed.connect(CLIENT, to);
  bed.run();
  socket.reset();
  bed.run();
  bed.assertClean();
  return { headers: peers[0]!.requests[0]!, port: socket.duplex.local.port };
}

Deno.test("dataplane 2.4 HD-06 HD-09 the request to a pod: all headers, in order, and no others", () => {
  const { headers, port } = requestOf(`${SERVER}:8080`);
  assert.deepEqual(headers, [
    [":method", "CONNECT"],
    [":authority", `${SERVER}:8080`],
    ["baggage", BAGGAGE],
    ["forwarded", `for="${CLIENT}:${port}"`],
    ["traceparent", TRACEPARENT],
  ]);
});

Deno.test("dataplane HD-08 the request for a service names it", () => {
  const service: Service = {
    ...DEFAULT_SERVICE,
    key: namespacedHostname("default", "web.example.com"),
    namespace: "default",
    hostname: "web.example.com",
    vips: [{ network: "test-network", ip: parseIp("10.10.0.1")! }],
    ports: new Map([[80, 8080]]),
  };
  const { headers, port } = requestOf("10.10.0.1:80", (bed) => {
    const workloadUidOfServer = workloadUid("Kubernetes//Pod/default/server");
    bed.apply({
      kind: "service",
      service,
      endpoints: [{ workloadUid: workloadUidOfServer, ports: new Map(), status: "Healthy" }],
    });
  });
  assert.deepEqual(headers[1], [":authority", `${SERVER}:8080`]);
  assert.deepEqual(headers[3], ["forwarded", `for="${CLIENT}:${port}";host=web.example.com`]);
});

Deno.test("dataplane 2.4 every connection has its own traceparent", () => {
  const bed = new Testbed();
  bed.node("client", CLIENT);
  bed.apply(workloadAt("server", SERVER, { protocol: "HBONE" }));
  const context = bed.context("spiffe://cluster.local/ns/default/sa/server");
  const { peers } = rawServer(bed.host(SERVER), at(`${SERVER}:15008`), context);
  for (let i = 0; i < 2; i++) bed.connect(CLIENT, `${SERVER}:8080`);
  bed.run();
  assert.equal(peers.length, 1);
  const traces = peers[0]!.requests.map((headers) => headers[4]![1]);
  for (const trace of traces) assert.match(trace, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  assert.notEqual(traces[0], traces[1]);
});

Deno.test("dataplane 2.5 IN-23 with an application tunnel PROXY the application receives the header first, over loopback, and it is not counted", () => {
  const bed = new Testbed();
  const node = bed.node("server", SERVER, { workload: { applicationTunnel: { protocol: "PROXY", port: 15088 } } });
  const { namespace } = bed.host(SERVER);
  const received: number[] = [];
  bed.memory.listen({ address: at("127.0.0.1:15088"), namespace }, ({ duplex }) => {
    const buffer = new Uint8Array(1000);
    const read = () => {
      const count = duplex.read(buffer);
      received.push(...buffer.subarray(0, Math.max(0, count)));
    };
    duplex.start({ onReadable: read, onWritable() {}, onFailure() {} });
    if (duplex.readable) read();
  });
  const id = "spiffe://cluster.local/ns/default/sa/client";
  const peer = rawClient(bed.host(CLIENT), at(`${SERVER}:15008`), bed.context(id));
  const stream = peer.open([[":method", "CONNECT"], [":authority", "10.0.0.9:8080"]]);
  bed.run();
  sendAll(stream, new TextEncoder().encode("hi"), false);
  bed.run();
  const header = Uint8Array.from(received);
  assert.equal(header.subarray(0, 12).toHex(), "0d0a0d0a000d0a515549540a");
  assert.equal(header.subarray(12, 16).toHex(), "2111003a");
  assert.deepEqual([...header.subarray(16, 24)], [10, 0, 0, 1, 10, 0, 0, 9]);
  assert.deepEqual([...header.subarray(26, 28)], [8080 >> 8, 8080 & 255]);
  assert.equal(new TextDecoder().decode(header.subarray(31)), `${id}hi`);
  assert.equal(node.traffic.received, 2);
  peer.close();
  bed.assertClean();
});

Deno.test("dataplane 9 a hostname without an address and an application tunnel PROXY: 503", () => {
  const bed = new Testbed();
  const node = bed.node("server", SERVER, { workload: { applicationTunnel: { protocol: "PROXY", port: 15088 } } });
  const service: Service = {
    ...DEFAULT_SERVICE,
    key: namespacedHostname("default", "web.example.com"),
    namespace: "default",
    hostname: "web.example.com",
    ports: new Map([[80, 8080]]),
  };
  bed.apply({ kind: "service", service, endpoints: [] });
  const peer = rawClient(
    bed.host(CLIENT),
    at(`${SERVER}:15008`),
    bed.context("spiffe://cluster.local/ns/default/sa/client"),
  );
  const stream = peer.open([[":method", "CONNECT"], [":authority", "web.example.com:80"]]);
  bed.run();
  assert.deepEqual(stream.headers, [[":status", "503"]]);
  assert.match(node.accessLine, /error="requested service web\.example\.com found, but has no IP addresses"$/);
  peer.close();
  bed.assertClean();
});
