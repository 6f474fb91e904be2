/**
 * What the list of open connections and the ring of endings take in a worker: growth of the heap and of the memory beside
 * it, after collections. The connections themselves and what they refer to are made before the first reading.
 *
 * usage: table_memory.ts CONNECTIONS, with --v8-flags=--expose-gc. Prints bytes.
 */
import type { SocketAddress } from "../src/net/address.ts";
import { parseIp } from "../src/net/address.ts";
import { NumberMap } from "../src/net/number_map.ts";
import type { FlowParts } from "../src/telemetry/flow.ts";
import { FlowRing } from "../src/telemetry/flow_ring.ts";
import { TrafficLabels } from "../src/telemetry/traffic_labels.ts";

/** As many as a node keeps. */
const ENDINGS = 10_000;
const IP = parseIp("10.1.0.5")!;
const at = (port: number): SocketAddress => ({ ip: IP, port });
const collect = (globalThis as { gc?: () => void }).gc!;

function used(): number {
  for (let i = 0; i < 4; i++) collect();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

const labels = new TrafficLabels();
const NOBODY = { source: null, derivedSource: null, destination: null, derivedDestination: null, service: null };

/** As a connection leaves it: with objects of its own for all that is made for each connection. */
function ended(i: number): FlowParts {
  return {
    direction: "inbound",
    state: "ended",
    source: at(i),
    destination: at(15008),
    target: at(8080),
    sides: labels.sides({ reporter: "destination", mutualTls: true, ...NOBODY }),
    mutualTls: true,
    service: "cart.shop.svc.cluster.local",
    isHbone: true,
    id: crypto.randomUUID().replaceAll("-", ""),
    traceparent: null,
    continuesTrace: false,
    tls: { version: "TLSv1.3", group: "X25519MLKEM768" },
    carrier: i,
    attempt: 1,
    decision: "no-allow-policies",
    dryRuns: [],
    times: { resolved: 0, authorized: 0, connected: 1, handshaken: 1, answered: 2, clientByte: 2, serverByte: 3 },
    bytesSent: i,
    bytesReceived: i,
    age: i,
    idle: 0,
    ending: { by: "client", how: "fin", phase: "open" },
    flag: "-",
    error: null,
  };
}

const count = Number(Deno.args[0]);
const connections = Array.from({ length: count }, (_, registration) => ({ registration }));
const before = used();
const table = new NumberMap<{ registration: number }>();
for (const connection of connections) table.set(connection.registration, connection);
const ring = new FlowRing(ENDINGS);
for (let i = 0; i < 2 * ENDINGS; i++) ring.push({ kind: "ended", time: i, parts: ended(i) });
const after = used();
console.log(after - before);
// They are read once more, so that none of them is collected before the second reading.
if (table.size !== connections.length || [...ring.newestFirst()].length !== ENDINGS) {
  throw new Error("not all are kept");
}
