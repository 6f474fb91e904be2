import { strict as assert } from "node:assert";
import { istio } from "../../proto/gen/zds.js";
import type { Ending } from "../net/duplex.ts";
import { MemoryScheduler } from "../net/testkit/memory_scheduler.ts";
import type { PacketSink, Reception } from "../net/packet_socket.ts";
import { openDescriptors } from "../net/testkit/reactor.ts";
import { libc } from "../os/libc_sockets.ts";
import { OwnedDescriptor } from "../os/owned_descriptor.ts";
import { type TestLog, testLog } from "../telemetry/testkit/log.ts";
import { TestHost } from "./testkit/host.ts";
import { type AgentSocket, ZdsClient } from "./zds_client.ts";

const { WorkloadRequest, WorkloadResponse } = istio.workload.zds;
type Request = Parameters<typeof WorkloadRequest.encode>[0];

const REFUSED: Ending = { by: "us", how: "error", code: "ECONNREFUSED", message: "Connection refused (os error 111)" };
const BROKEN: Ending = { by: "us", how: "error", code: "EPIPE", message: "Broken pipe (os error 32)" };
const workloadInfo = { name: "a", namespace: "app", serviceAccount: "a" };

/** A connection to the agent, which the test controls. */
class FakeSocket implements AgentSocket {
  readonly #incoming: Reception[] = [];
  #lent: readonly OwnedDescriptor[] = [];
  #sink: PacketSink | null = null;
  readonly sent: string[] = [];
  /** While true, sending fails. */
  refusesWrites = false;
  closed = false;

  start(sink: PacketSink): void {
    this.#sink = sink;
    sink.onReadable();
  }

  receive(): Reception {
    assert.equal(this.closed, false, "received from a closed socket");
    for (const descriptor of this.#lent) descriptor.close();
    this.#lent = [];
    const next = this.#incoming.shift() ?? { kind: "nothing" };
    if (next.kind === "packet") this.#lent = next.descriptors;
    return next;
  }

  send(bytes: Uint8Array): Ending | null {
    if (this.refusesWrites || this.closed) return BROKEN;
    this.sent.push(bytes.toHex() === "0801" ? "hello" : WorkloadResponse.decode(bytes).ack!.error || "ok");
    return null;
  }

  close(): void {
    this.closed = true;
    for (const descriptor of this.#lent) descriptor.close();
    for (const next of this.#incoming) if (next.kind === "packet") { for (const d of next.descriptors) d.close(); }
  }

  /** Queues a packet without an event. */
  queue(request: Request | Uint8Array, descriptors: readonly OwnedDescriptor[] = [], truncated = false): void {
    const bytes = request instanceof Uint8Array ? request : WorkloadRequest.encode(request).finish();
    this.#incoming.push({ kind: "packet", bytes, descriptors, truncated });
  }

  delivers(request: Request | Uint8Array, descriptors: readonly OwnedDescriptor[] = [], truncated = false): void {
    this.queue(request, descriptors, truncated);
    if (!this.closed) this.#sink?.onReadable();
  }

  ends(ending: Ending = { by: "peer", how: "fin", code: "CLOSED", message: "peer closed the connection" }): void {
    this.#incoming.push({ kind: "end", ending });
    this.#sink?.onReadable();
  }
}

class Bed implements Disposable {
  readonly scheduler = new MemoryScheduler();
  readonly host = new TestHost();
  readonly sockets: FakeSocket[] = [];
  readonly #log: TestLog;
  readonly #openBefore = openDescriptors();
  /** While true, connecting fails. */
  isAbsent = false;
  /** While true, sending fails on new connections. */
  refusesWrites = false;
  ready = false;
  protocolErrors: string[] = [];
  readonly client: ZdsClient;

  constructor(filter = "info") {
    this.#log = testLog({ filter });
    const cell = () => ({ value: 0 });
    this.client = new ZdsClient({
      scheduler: this.scheduler,
      path: "/var/run/ztunnel/ztunnel.sock",
      connect: () => {
        if (this.isAbsent) return REFUSED;
        const socket = new FakeSocket();
        socket.refusesWrites = this.refusesWrites;
        this.sockets.push(socket);
        return socket;
      },
      host: this.host,
      counters: { active: cell(), pending: cell(), started: cell(), stopped: cell() },
      log: this.#log.log,
      random: () => 0.5,
      setReady: (ready) => this.ready = ready,
      onProtocolError: (text) => this.protocolErrors.push(text),
    });
  }

  /** The current connection. */
  get agent(): FakeSocket {
    return this.sockets.at(-1)!;
  }

  /** Returns a descriptor that the client must close. It is not of a namespace, which is not checked here. */
  descriptor(): OwnedDescriptor {
    return new OwnedDescriptor(libc.dup(0));
  }

  add(uid: string): void {
    this.agent.delivers({ add: { uid, workloadInfo } }, [this.descriptor()]);
  }

  /** The number of descriptors opened since the start of the test. */
  get openDescriptors(): number {
    return openDescriptors() - this.#openBefore;
  }

  get lines(): string[] {
    return this.#log.lines().map((line) => line.split("\t").slice(1).join(" ").trimEnd());
  }

  /** Stops everything, so that all descriptors are closed. */
  [Symbol.dispose](): void {
    this.client.stop();
    this.agent.close();
    this.host.answer();
    for (const serving of this.host.served) if (serving.state === "up") serving.stop({ kind: "immediate" });
    this.host.answer();
  }
}

function play(name: string, script: (bed: Bed) => void): void {
  Deno.test(name, () => {
    const before = openDescriptors();
    {
      using bed = new Bed();
      script(bed);
    }
    assert.equal(openDescriptors(), before, "descriptors are still open");
  });
}

const WARNING = "warn inpod::workloadmanager failed to connect to the Istio CNI node agent over " +
  '"/var/run/ztunnel/ztunnel.sock", is the node agent healthy? details: ECONNREFUSED: ' +
  "Connection refused (os error 111). retrying in ";

play("inpod A7: no agent: the client connects again after 20 ms, 40 ms ...", (bed) => {
  bed.isAbsent = true;
  bed.client.start();
  for (const delay of [20, 40, 80]) {
    assert.equal(bed.lines.at(-1), `${WARNING}${delay}ms`);
    bed.scheduler.advance(delay - 1);
    assert.equal(bed.lines.at(-1), `${WARNING}${delay}ms`);
    bed.scheduler.advance(1);
  }
  bed.isAbsent = false;
  bed.scheduler.advance(160);
  assert.equal(bed.lines.at(-1), "info inpod::workloadmanager handling new stream");
  bed.isAbsent = true;
  bed.agent.ends();
  assert.equal(bed.lines.at(-1), `${WARNING}20ms`, "the delays start over");
  bed.isAbsent = false;
  bed.scheduler.advance(20);
});

play("inpod Z1, S1, Z19: hello, then one acknowledgement per message", (bed) => {
  bed.client.start();
  bed.agent.delivers({ snapshotSent: {} });
  bed.add("a");
  bed.agent.delivers({ del: { uid: "b" } });
  assert.deepEqual(bed.agent.sent, ["hello", "ok"]);
  assert.equal(bed.ready, true);
  bed.host.answer();
  assert.deepEqual(bed.agent.sent, ["hello", "ok", "ok", "ok"]);
  assert.equal(bed.openDescriptors, 1, "the namespace of the pod");
  bed.agent.delivers({ del: { uid: "a" } });
  bed.host.answer();
  assert.equal(bed.openDescriptors, 0);
});

play("inpod Z17: sending the hello fails: logged, not ready, and retried", (bed) => {
  bed.refusesWrites = true;
  bed.client.start();
  for (const delay of [5, 10, 20]) {
    assert.equal(
      bed.lines.at(-1),
      "error inpod::workloadmanager node agent announcement failed (could not announce to node agent), " +
        `retrying in ${delay}ms`,
    );
    assert.ok(bed.agent.closed);
    bed.scheduler.advance(delay);
  }
  bed.refusesWrites = false;
  bed.scheduler.advance(40);
  assert.deepEqual(bed.agent.sent, ["hello"]);
});

play("inpod Z18: the agent closes at once: not ready, reconnected at once, and then after delays", (bed) => {
  bed.client.start();
  bed.agent.ends();
  assert.equal(bed.sockets.length, 2);
  for (const pause of [20, 40]) {
    bed.agent.ends();
    const { length } = bed.sockets;
    bed.scheduler.advance(pause - 1);
    assert.equal(bed.sockets.length, length);
    bed.scheduler.advance(1);
    assert.equal(bed.sockets.length, length + 1);
  }
  bed.agent.delivers({ snapshotSent: {} });
  assert.equal(bed.ready, true);
  const { length } = bed.sockets;
  bed.agent.ends();
  assert.equal(bed.ready, false);
  assert.equal(bed.sockets.length, length + 1, "reconnected at once");
});

const UNREADABLE: readonly (readonly [string, string, (bed: Bed) => void])[] = [
  ["Z4", "No control message", ({ agent }) => agent.delivers({ add: { uid: "x", workloadInfo } })],
  ["Z6", "Unexpected control message", (bed) => bed.agent.delivers({ del: { uid: "x" } }, [bed.descriptor()])],
  [
    "Z9",
    "Expected 1 FD, got 2",
    (bed) => bed.agent.delivers({ add: { uid: "x", workloadInfo } }, [bed.descriptor(), bed.descriptor()]),
  ],
  [
    "Z10, Z11",
    "received truncated message",
    (bed) => bed.agent.delivers(new Uint8Array(1024), [bed.descriptor()], true),
  ],
  ["Z13", "failed to decode message: ", ({ agent }) => agent.delivers(Uint8Array.of(0xff))],
  ["Z14", "no payload", ({ agent }) => agent.delivers(Uint8Array.of(0x22, 0))],
];
for (const [id, error, deliver] of UNREADABLE) {
  play(`inpod ${id}: an invalid message: refused, reconnected; pods stay served, no descriptor leaks`, (bed) => {
    bed.client.start();
    bed.add("a");
    bed.host.answer();
    const { agent } = bed;
    deliver(bed);
    assert.ok(agent.closed);
    assert.ok(agent.sent.at(-1)!.startsWith(`failure to read message : ${error}`), agent.sent.at(-1)!);
    const [refused, ended] = bed.lines.slice(-3);
    assert.ok(refused!.startsWith(`error inpod::workloadmanager failed to read message: ${error}`), refused!);
    assert.ok(ended!.startsWith(`warn inpod::workloadmanager process stream ended: ReceiveMessageError("${error}`));
    assert.equal(bed.openDescriptors, 1);
    assert.deepEqual(bed.agent.sent, ["hello"]);
    bed.agent.delivers({ keep: { uid: "a" } });
    bed.agent.delivers({ snapshotSent: {} });
    assert.equal(bed.host.served[0]!.state, "up");
    assert.equal(bed.ready, true);
  });
}

play("inpod S3, A1.11: a failed pod is retried after 5 s, whatever messages arrive", (bed) => {
  bed.client.start();
  bed.host.occupied.add("x");
  bed.add("a");
  bed.host.occupied.add(bed.host.served[0]!.pod.namespace.identity);
  bed.host.answer();
  assert.match(bed.agent.sent.at(-1)!, /^failure to start proxy : /);
  assert.equal(bed.openDescriptors, 1);
  bed.scheduler.advance(3000);
  bed.agent.delivers({ snapshotSent: {} });
  bed.host.occupied.clear();
  bed.scheduler.advance(1999);
  assert.equal(bed.host.served.length, 1);
  bed.scheduler.advance(1);
  assert.equal(bed.host.served.length, 2);
  assert.equal(bed.ready, false);
  bed.agent.delivers({ del: { uid: "b" } });
  assert.equal(bed.agent.sent.length, 3, "not read while pods start");
  bed.host.answer();
  assert.equal(bed.ready, true);
  assert.equal(bed.agent.sent.length, 4);
  assert.equal(bed.openDescriptors, 1);
});

play("inpod S22: the end of the connection cancels retries", (bed) => {
  bed.client.start();
  bed.add("a");
  bed.host.occupied.add(bed.host.served[0]!.pod.namespace.identity);
  bed.host.answer();
  bed.agent.ends();
  assert.equal(bed.openDescriptors, 0);
  bed.scheduler.advance(60_000);
  assert.equal(bed.host.served.length, 1);
});

play("inpod S10, A1.9: a protocol error is sent to the agent and ends the client", (bed) => {
  bed.client.start();
  bed.agent.delivers({ add: { uid: "a" } }, [bed.descriptor()]);
  assert.deepEqual(bed.protocolErrors, ["workload_info is required but not present"]);
  assert.equal(
    bed.agent.sent.at(-1),
    'failure to process message : ProtocolError("workload_info is required but not present")',
  );
  assert.ok(bed.agent.closed);
  bed.scheduler.advance(60_000);
  assert.equal(bed.sockets.length, 1);
});

play("inpod A1.9: a failure to send an acknowledgement ends the connection", (bed) => {
  bed.client.start();
  bed.agent.refusesWrites = true;
  bed.agent.delivers({ snapshotSent: {} });
  assert.equal(
    bed.lines.at(-2),
    'warn inpod::workloadmanager process stream ended: SendAckError("Broken pipe (os error 32)")',
  );
  assert.equal(bed.sockets.length, 2);
  assert.equal(bed.ready, false);
});

play("inpod: at most 64 messages are processed per turn", (bed) => {
  bed.client.start();
  const { agent } = bed;
  for (let i = 0; i < 1000; i++) agent.queue({ del: { uid: `${i}` } });
  agent.delivers({ snapshotSent: {} });
  assert.equal(agent.sent.length, 1 + 64);
  bed.scheduler.runUntilIdle();
  assert.equal(agent.sent.length, 1 + 1001);
});

play("inpod A1.8: after a stop no message is read, and the client does not reconnect", (bed) => {
  bed.client.start();
  bed.add("a");
  bed.client.stop();
  bed.client.stop();
  bed.host.answer();
  bed.scheduler.advance(60_000);
  assert.equal(bed.sockets.length, 1);
  assert.deepEqual(bed.lines.slice(-3), [
    "info inpod::protocol workload proxy manager: drain requested",
    "info inpod::workloadmanager process stream ended with eof",
    "info inpod::workloadmanager drain requested",
  ]);
});

Deno.test("config-admin 6.8: messages of the agent and answers to them are logged at debug", () => {
  using bed = new Bed("debug");
  bed.client.start();
  bed.agent.delivers({ snapshotSent: {} });
  bed.agent.delivers({ del: { uid: "1" } });
  const lines = bed.lines.filter((line) => line.startsWith("debug"));
  assert.deepEqual(lines, [
    "debug inpod::workloadmanager received message: snapshot-sent",
    "debug inpod::workloadmanager sending ack",
    'debug inpod::workloadmanager received message: delete uid="1"',
    "debug inpod::workloadmanager sending ack",
  ]);
});
