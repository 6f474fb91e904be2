/** Half-closed connections: when those that move no bytes are closed, and how they are counted. */
import { strict as assert } from "node:assert";
import { Testbed, type TestNode, workloadAt } from "../dataplane/testkit/testbed.ts";
import { TwoNetworks } from "../dataplane/testkit/gateway.ts";
import type { TestSocket } from "../hbone/testkit/socket.ts";
import { PORTION } from "../net/in_portions.ts";
import { Rounds } from "../net/rounds.ts";
import { MemoryNetwork } from "../net/testkit/memory_network.ts";
import { Metrics } from "../telemetry/metrics.ts";
import { testLog } from "../telemetry/testkit/log.ts";
import { type HalfClosedConnection, HalfClosedConnections } from "./half_closed.ts";
import { EVALUATED_PER_TURN } from "./reassessing.ts";

const HOUR = 3_600_000, YEAR = 365 * 24 * HOUR;
const CLIENT = "10.0.0.1", SERVER = "10.0.0.2", PLAIN = "10.0.0.3";

/** A registry, and connections that end when they expire. */
function registry(timeout = HOUR) {
  const memory = new MemoryNetwork();
  const log = testLog();
  const metrics = new Metrics();
  const counts = {
    open: metrics.cell("istio_tcp_connections_half_closed", "source"),
    expired: metrics.cell("istio_tcp_half_closed_timeouts", "source"),
  };
  const all = new HalfClosedConnections({ network: memory, rounds: new Rounds(memory) }, timeout, log.log, metrics);
  const add = () => {
    const connection: HalfClosedConnection & { bytesCopied: number } = {
      halfClosed: 0,
      bytesCopied: 0,
      expire: () => all.remove(connection),
    };
    all.add(connection, "outbound");
    return connection;
  };
  return { memory, log, counts, all, add };
}

Deno.test("half-closed: a connection that moves no bytes is closed at the timeout, and not before", () => {
  const { memory, log, counts, add } = registry();
  add();
  memory.advance(HOUR - 1);
  assert.deepEqual([counts.open.value, counts.expired.value, log.lines()], [1, 0, []]);
  memory.advance(1);
  assert.deepEqual([counts.open.value, counts.expired.value], [0, 1]);
  assert.match(log.lines()[0]!, /\twarn\tproxy\tclosed half-closed .*\tconnections=1 HALF_CLOSED_TIMEOUT="3600s"/);
  memory.advance(HOUR);
  assert.equal(log.lines().length, 1);
});

Deno.test("half-closed: bytes that move begin the timeout again", () => {
  const { memory, counts, add } = registry();
  const connection = add();
  for (let i = 0; i < 20; i++) {
    memory.advance(HOUR - 1);
    connection.bytesCopied++;
  }
  memory.advance(HOUR);
  assert.equal(counts.open.value, 1, "the last byte moved an hour ago, which is seen when connections are checked");
  memory.advance(HOUR / 2);
  assert.deepEqual([counts.open.value, counts.expired.value], [0, 1]);
});

Deno.test("half-closed: with a timeout of 0 no connection is closed, and nothing is scheduled", () => {
  const { memory, counts, add, all } = registry(0);
  const connection = add();
  memory.advance(10 * YEAR);
  assert.deepEqual([counts.open.value, counts.expired.value], [1, 0]);
  all.remove(connection);
  all.remove(connection);
  assert.equal(counts.open.value, 0);
});

Deno.test("half-closed: 10,000 connections are checked and closed in portions; those that end meanwhile are skipped", () => {
  const { memory, counts, all } = registry();
  const checks = new Map<number, number>(), closings = new Map<number, number>();
  const count = (turns: Map<number, number>) => turns.set(memory.turn, (turns.get(memory.turn) ?? 0) + 1);
  const connections = Array.from({ length: 10_000 }, (_, index) => {
    const connection: HalfClosedConnection = {
      halfClosed: 0,
      get bytesCopied() {
        count(checks);
        return 0;
      },
      expire() {
        count(closings);
        all.remove(this);
        // Another one ends for the same reason.
        if (index < 5000) all.remove(connections[9999 - index]!);
      },
    };
    return connection;
  });
  for (const connection of connections) all.add(connection, "outbound");
  checks.clear();
  memory.advance(HOUR / 4);
  assert.equal(checks.size, Math.ceil(10_000 / EVALUATED_PER_TURN));
  memory.advance(HOUR);
  assert.deepEqual([counts.open.value, counts.expired.value], [0, 5000]);
  assert.ok(Math.max(...checks.values()) <= EVALUATED_PER_TURN);
  assert.equal(Math.max(...closings.values()), PORTION);
});

/** An open connection, and the node whose `HALF_CLOSED_TIMEOUT` is not 0. */
interface Scene {
  readonly bed: Testbed;
  readonly node: TestNode;
  readonly client: TestSocket;
  readonly app: TestSocket;
}

const PAIRS = {
  "outbound, over HBONE": { closing: "client", from: CLIENT, to: SERVER },
  "outbound, plain": { closing: "client", from: CLIENT, to: PLAIN },
  "outbound, by SOCKS5": { closing: "client", from: CLIENT, to: SERVER },
  "inbound, over HBONE": { closing: "server", from: CLIENT, to: SERVER },
  "inbound, plain": { closing: "server", from: PLAIN, to: SERVER },
} as const;
const NESTED = ["outbound, double HBONE", "inbound, double HBONE"] as const;
type Kind = keyof typeof PAIRS | typeof NESTED[number];

function nested(kind: typeof NESTED[number], timeout: string): Scene {
  const atClient = kind === "outbound, double HBONE";
  const env = (closes: boolean) => ({ env: { HALF_CLOSED_TIMEOUT: closes ? timeout : "0s" } });
  const bed = new TwoNetworks({ client: env(atClient), server: env(!atClient), app() {} });
  const [client, app] = bed.through();
  return { bed, node: atClient ? bed.client : bed.server!, client, app };
}

function scene(kind: Kind, timeout: string): Scene {
  if (kind === "outbound, double HBONE" || kind === "inbound, double HBONE") return nested(kind, timeout);
  const { closing, from, to } = PAIRS[kind];
  const bed = new Testbed();
  const node = (name: string, ip: string) => {
    const env = { UNSTABLE_ENABLE_SOCKS5: "true", HALF_CLOSED_TIMEOUT: name === closing ? timeout : "0s" };
    return bed.node(name, ip, { env });
  };
  const nodes = { client: node("client", CLIENT), server: node("server", SERVER) };
  bed.host(PLAIN);
  bed.apply(workloadAt("plain", PLAIN, { protocol: "TCP" }));
  const apps = bed.listen(`${to}:8080`);
  const isSocks = kind === "outbound, by SOCKS5";
  const client = bed.connect(from, isSocks ? "127.0.0.1:15080" : `${to}:8080`);
  if (isSocks) client.send(Uint8Array.of(5, 1, 0, 5, 1, 0, 1, ...to.split(".").map(Number), 8080 >> 8, 8080 & 255));
  bed.run();
  return { bed, node: nodes[closing], client, app: apps[0]! };
}

const FIRST = { client: ["client", "app"], application: ["app", "client"] } as const;

for (const kind of [...Object.keys(PAIRS), ...NESTED] as Kind[]) {
  const reporter = kind.startsWith("outbound") ? "source" : "destination";
  const numbers = ({ metrics }: TestNode) => [
    metrics.cell("istio_tcp_connections_half_closed", reporter).value,
    metrics.cell("istio_tcp_half_closed_timeouts", reporter).value,
  ];

  for (const [who, [first, other]] of Object.entries(FIRST)) {
    Deno.test(`half-closed: ${kind}, ended by the ${who}: closed at the timeout after the last byte`, () => {
      const { bed, node, ...sides } = scene(kind, "1h");
      const { [first]: ended, [other]: open } = sides;
      ended.send("all of it").end();
      bed.run();
      assert.deepEqual([open.fate, ended.fate, ...numbers(node)], ["fin", "open", 1, 0]);
      bed.advance(HOUR - 1);
      open.send("a sign of life");
      bed.run();
      assert.match(ended.text, /a sign of life$/);
      bed.advance(HOUR);
      assert.deepEqual([open.fate, ended.fate, ...numbers(node)], ["fin", "open", 1, 0]);
      bed.advance(HOUR / 2);
      assert.deepEqual([ended.fate, ...numbers(node)], ["reset", 0, 1]);
      assert.match(open.failure?.how ?? "", /reset/);
      assert.match(
        node.access.at(-1)!,
        /^error .* error="half-closed and no bytes moved for 3600s \(HALF_CLOSED_TIMEOUT\)"$/,
      );
      assert.deepEqual([node.traffic.closed, node.traffic.failed], [{ CONNECT: 1 }, { CONNECT: 1 }]);
      bed.assertClean();
    });

    Deno.test(`half-closed: ${kind}, ended by the ${who}: with 0 it stays until the other side ends`, () => {
      const { bed, node, ...sides } = scene(kind, "0s");
      const { [first]: ended, [other]: open } = sides;
      ended.end();
      bed.advance(6 * HOUR);
      assert.deepEqual([open.fate, ended.fate, ...numbers(node)], ["fin", "open", 1, 0]);
      open.send("late").end();
      bed.run();
      assert.deepEqual([ended.fate, ...numbers(node)], ["fin", 0, 0]);
      assert.match(ended.text, /late$/);
      bed.assertClean();
    });
  }

  Deno.test(`half-closed: ${kind}: the dump tells it from an open connection`, () => {
    const { bed, node, client, app } = scene(kind, "1h");
    const direction = reporter === "source" ? "outbound" : "inbound";
    const marks = () => node.pod.dumpConnections(direction, null).entries.map(({ halfClosed }) => halfClosed);
    assert.deepEqual(marks(), [undefined]);
    client.end();
    bed.run();
    assert.deepEqual(marks(), [true]);
    app.end();
    bed.run();
    assert.deepEqual(marks(), []);
    bed.assertClean();
  });
}

Deno.test("half-closed: an open connection that moves nothing is not closed", () => {
  const { bed, node, client, app } = scene("outbound, over HBONE", "1h");
  bed.advance(10 * HOUR);
  assert.deepEqual([client.fate, app.fate, node.access], ["open", "open", []]);
  client.end();
  app.end();
  bed.assertClean();
});
