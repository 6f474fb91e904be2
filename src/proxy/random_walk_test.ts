/**
 * Random events: applications send, stop reading, end and reset, connections between the nodes break, policies and
 * certificates are added and removed, time passes. In every order the bytes that arrive are those that were sent, each
 * connection is recorded once, and nothing is left at the end.
 */
import { strict as assert } from "node:assert";
import fc from "fast-check";
import { rawBytes } from "../hbone/testkit/peer.ts";
import type { TestSocket } from "../hbone/testkit/socket.ts";
import { concat } from "../h2/testkit/pair.ts";
import { frame, settings, settingsAck } from "../h2/testkit/frames.ts";
import { PREFACE } from "../h2/frame.ts";
import type { MeshChange } from "../mesh/model/changes.ts";
import { EMPTY_MATCH, policyKey } from "../mesh/model/model.ts";
import { RESET_BY_PEER } from "../net/testkit/memory_endings.ts";
import { at, Testbed, type TestNode, workloadAt } from "../dataplane/testkit/testbed.ts";

const CLIENT = "10.0.0.1", SERVER = "10.0.0.2", PLAIN = "10.0.0.3";
const TARGETS = [`${SERVER}:8080`, `${SERVER}:9090`, `${PLAIN}:8080`, `${SERVER}:7`];

const DENY: MeshChange = {
  kind: "policy",
  key: policyKey("default/deny"),
  policy: {
    name: "deny",
    namespace: "default",
    scope: "Namespace",
    action: "Deny",
    dryRun: false,
    rules: [[[{ ...EMPTY_MATCH, destinationPorts: [9090] }]]],
  },
};

/** Shrinking sixty steps can take hours, so a failure shows the steps as they were. */
const REPEATABLE = { seed: 20_261_124, endOnFailure: true };

type Side = "client" | "app";
type Step =
  | { readonly do: "connect"; readonly to: number }
  | { readonly do: "send"; readonly side: Side; readonly which: number; readonly size: number }
  | { readonly do: "end" | "reset" | "stop" | "go"; readonly side: Side; readonly which: number }
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: "turns"; readonly count: number }
  | { readonly do: "break"; readonly node: number; readonly which: number }
  | { readonly do: "deny" | "allow" | "renew" | "hold" | "issue" };

const side = fc.constantFrom<Side>("client", "app");
const which = fc.nat(5);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("connect" as const), to: fc.nat(TARGETS.length - 1) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("send" as const), side, which, size: fc.nat(200_000) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom("end" as const, "reset", "stop", "go"), side, which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.nat(12_000) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("turns" as const), count: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("break" as const), node: fc.nat(1), which: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("deny" as const, "allow", "renew", "hold", "issue") }) },
);

/** One connection: both ends and what they have sent. */
interface Pipe {
  readonly client: () => TestSocket;
  app: TestSocket | null;
  sent: Record<Side, number>;
}

class Walk {
  readonly bed = new Testbed({ bufferBytes: 20_000 });
  readonly nodes: readonly [TestNode, TestNode];
  readonly pipes: Pipe[] = [];

  constructor() {
    const env = { HTTP2_STREAM_WINDOW_SIZE: "100000", HTTP2_CONNECTION_WINDOW_SIZE: "400000" };
    this.nodes = [this.bed.node("client", CLIENT, { env }), this.bed.node("server", SERVER, { env })];
    this.bed.apply(workloadAt("plain", PLAIN, { protocol: "TCP" }));
    for (const target of TARGETS.slice(0, 3)) this.bed.listen(target, (app) => this.#accepted(app));
  }

  /** Applications find their client by its address, which the proxies keep; over plain TCP by the order. */
  #accepted(app: TestSocket): void {
    app.onBytes = checker("client");
    const pipe = this.pipes.find(({ app: taken, client }) => taken === null && isFor(client, app));
    if (pipe !== undefined) pipe.app = app;
  }

  take(step: Step): void {
    const { bed, nodes } = this;
    switch (step.do) {
      case "connect":
        return this.#connect(TARGETS[step.to]!);
      case "send":
        return this.#send(step.side, step.which, step.size);
      case "end":
      case "reset":
        return void this.#socket(step.side, step.which)?.[step.do]();
      case "stop":
        return this.#socket(step.side, step.which)?.stopReading();
      case "go":
        return this.#socket(step.side, step.which)?.goOnReading();
      case "pass":
        return bed.advance(step.ms);
      case "turns":
        for (let i = 0; i < step.count; i++) bed.memory.step();
        return;
      case "break": {
        const open = [...nodes[step.node]!.host.open];
        if (open.length > 0) bed.memory.breakStream(open[step.which % open.length]!, RESET_BY_PEER);
        return;
      }
      case "deny":
        return nodes[1].plane.applyMesh([DENY]);
      case "allow":
        return nodes[1].plane.applyMesh([{ kind: "remove-policy", key: policyKey("default/deny") }]);
      case "renew":
        return nodes[1].issueCertificate();
      case "hold":
        nodes[0].certificates = "hold";
        return;
      case "issue":
        nodes[0].certificates = "issue";
        return nodes[0].issueCertificate();
      default:
        step satisfies never;
    }
  }

  /** All applications read everything and close. */
  finish(): void {
    this.bed.advance(1);
    for (const { client, app } of this.pipes) {
      for (const socket of [client(), app]) {
        socket?.goOnReading();
        socket?.end();
      }
    }
    this.bed.advance(60_000);
  }

  #connect(to: string): void {
    const client = this.bed.startConnecting(CLIENT, to);
    this.bed.memory.step();
    this.bed.memory.step();
    client().onBytes = checker("app");
    this.pipes.push({ client, app: null, sent: { client: 0, app: 0 } });
  }

  #send(side: Side, which: number, size: number): void {
    const socket = this.#socket(side, which);
    const pipe = this.pipes[which];
    if (socket === null || pipe === undefined || socket.hasEnded || socket.duplex.failure !== null) return;
    const from = pipe.sent[side];
    const bytes = new Uint8Array(size);
    for (let i = 0; i < size; i++) bytes[i] = byteAt(side, from + i);
    socket.send(bytes);
    pipe.sent[side] += size;
  }

  #socket(side: Side, which: number): TestSocket | null {
    const pipe = this.pipes[which];
    if (pipe === undefined) return null;
    return side === "client" ? pipe.client() : pipe.app;
  }
}

function byteAt(side: Side, position: number): number {
  return (position * (side === "client" ? 7 : 13) + (position >> 8)) & 255;
}

/** The bytes that arrive must be those that `from` sends. */
function checker(from: Side): (bytes: Uint8Array) => void {
  let position = 0;
  return (bytes) => {
    const wrong = bytes.findIndex((byte, i) => byte !== byteAt(from, position + i));
    assert.equal(wrong, -1, `byte ${position + wrong} from ${from} is another`);
    position += bytes.length;
  };
}

function isFor(client: () => TestSocket, app: TestSocket): boolean {
  return client().duplex.remote.port === app.duplex.local.port && client().duplex.remote.ip === app.duplex.local.ip;
}

function assertRecordedOnce({ series, access, name }: TestNode): void {
  const sum = (counts: Iterable<number>) => [...counts].reduce((total, count) => total + count, 0);
  const opened = sum(series.map((one) => one.opened));
  const closed = sum(series.flatMap((one) => Object.values(one.closed)));
  const lines = access.filter((line) => line.includes(" connection complete "));
  assert.deepEqual({ closed, lines: lines.length }, { closed: opened, lines: opened }, name);
}

Deno.test("random events: bytes intact, each connection recorded once, nothing left", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 30, maxLength: 80, size: "max" }), (steps) => {
      const walk = new Walk();
      for (const step of steps) walk.take(step);
      walk.finish();
      for (const node of walk.nodes) assertRecordedOnce(node);
      walk.bed.assertClean();
      for (const node of walk.nodes) assert.ok(!node.lines.some((line) => line.includes("drain duration expired")));
    }),
    { numRuns: 100, ...REPEATABLE },
  );
});

Deno.test("random events, and a node is stopped at some point", () => {
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 10, maxLength: 40, size: "max" }),
      fc.nat(1),
      fc.boolean(),
      (steps, which, force) => {
        const walk = new Walk();
        for (const step of steps) walk.take(step);
        const node = walk.nodes[which]!;
        if (force) node.stop();
        else node.drain(1000);
        walk.bed.advance(3000);
        assert.equal(node.drained, true);
        assertRecordedOnce(node);
        walk.finish();
        walk.bed.assertClean();
      },
    ),
    { numRuns: 100, ...REPEATABLE },
  );
});

Deno.test("random bytes at the inbound port, plain and inside TLS, with and without a valid beginning", () => {
  const hello = concat([PREFACE, settings(), settingsAck()]);
  const junk = fc.uint8Array({ maxLength: 300 });
  const frames = fc.array(fc.tuple(fc.nat(12), fc.nat(255), fc.nat(9), junk), { maxLength: 8 }).map((list) =>
    concat(list.map(([type, flags, id, payload]) => frame(type, flags, id, payload)))
  );
  fc.assert(
    fc.property(fc.constantFrom("plain", "tls", "http2"), fc.oneof(junk, frames), (layer, bytes) => {
      const bed = new Testbed();
      const server = bed.node("server", SERVER);
      const peer = layer === "plain"
        ? bed.connect(CLIENT, `${SERVER}:15008`)
        : rawBytes(bed.host(CLIENT), at(`${SERVER}:15008`), bed.context("spiffe://cluster.local/ns/default/sa/peer"));
      if (layer === "http2") peer.send(hello);
      peer.send(bytes);
      bed.advance(45_000);
      assert.notEqual(peer.fate, "open");
      assert.equal(server.pod.connectionCount, 0);
      bed.assertClean();
    }),
    { numRuns: 100, ...REPEATABLE },
  );
});
