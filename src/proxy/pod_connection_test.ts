/** The life of a connection: its phases, who ended it, and its record. */
import { strict as assert } from "node:assert";
import type { Workload } from "../mesh/model/model.ts";
import { socket, workload } from "../mesh/testkit/fixture.ts";
import type { EndingCause, Phase } from "../telemetry/connection_ending.ts";
import type { ConnectionFailure } from "../telemetry/connection_telemetry.ts";
import { testLog } from "../telemetry/testkit/log.ts";
import { Testbed } from "../dataplane/testkit/testbed.ts";
import { Connections, type LiveConnection } from "./connections.ts";
import type { PodContext } from "./pod_context.ts";
import { PodConnection } from "./pod_connection.ts";

const POD = workload({ name: "pod", namespace: "ns", ips: ["10.0.0.2"] }).workload;

/** A pod whose parts record the calls that they get. */
class Pod {
  /** Ids of decisions that were counted. */
  readonly decided: string[] = [];
  readonly done: string[] = [];
  workload: Workload | null = POD;
  onWorkload: (workload: Workload | null) => void = () => {};
  onFound: (failure: string | null) => void = () => {};
  readonly context: PodContext;

  constructor() {
    const note = (what: string) => void this.done.push(what);
    const record = {
      finish: (_now: number, _ending: unknown, failure: ConnectionFailure | null) =>
        note(`finished ${failure?.message ?? "well"}`),
      cancel: () => note("cancelled"),
    };
    const current = () => this.workload;
    const parts = {
      component: "inbound",
      log: testLog().log.scope("test"),
      lines: { warn() {} },
      newTraceparent: () => `00-${"1".repeat(32)}-${"1".repeat(16)}-00`,
      connections: { add: () => note("added"), remove: () => note("removed") },
      local: {
        get current() {
          return current();
        },
        unknownMessage: "no such workload",
        title: "the workload",
        wait: (use: typeof this.onWorkload) => {
          this.onWorkload = use;
          return () => note("workload not awaited");
        },
      },
      lookups: {
        lookUp: (name: string, done: typeof this.onFound) => {
          note(`looks up ${name}`);
          this.onFound = done;
          return () => note("name not awaited");
        },
      },
      loop: { network: { now: () => 0 } },
      decisions: { add: (id: string) => void this.decided.push(id) },
      halfClosed: { add: () => note("half-closed"), remove() {} },
      telemetry: {
        open: () => record,
        refuse: ({ direction, error }: { direction: string; error: string }) => note(`refused ${direction}: ${error}`),
      },
    };
    this.context = parts as unknown as PodContext;
  }
}

/** A kind of connection that leaves every step to the test. */
class Plain extends PodConnection {
  readonly #pod: Pod;
  protected readonly direction = "inbound";
  protected readonly source = socket("10.0.0.1:1000");
  protected readonly destination = socket("10.0.0.2:80");

  constructor(pod: Pod) {
    super(pod.context);
    this.#pod = pod;
  }

  protected resolve({ name }: Workload): void {
    this.#pod.done.push(`resolves for ${name}, looked up ${[...this.asked!].join()}`);
  }

  protected reset(): void {
    this.#pod.done.push("reset");
  }

  protected release(): void {
    this.#pod.done.push("released");
  }

  look(name: string): void {
    this.lookUp(name, POD);
  }

  goOnTo(phase: Phase, pending = "pending"): void {
    this.enter(phase, { abort: () => void this.#pod.done.push(`${pending} aborted`) });
  }

  startRecord(): void {
    this.openRecord({} as never, 0);
  }

  carry(isHalfClosed: boolean): void {
    this.enter("open", null);
    this.copyThrough({ isHalfClosed, cut() {} });
  }

  endWith(message: string | null, by: EndingCause["by"]): void {
    this.finish(message === null ? null : { flag: "CONNECT", message }, { by, how: "error" });
  }

  turnAway(message: string): void {
    this.refuse(message, { by: "us", how: "no route" });
  }
}

Deno.test("connection: the pod's workload is awaited, and its absence ends the connection", () => {
  const pod = new Pod();
  pod.workload = null;
  const found = new Plain(pod), lost = new Plain(pod), cut = new Plain(pod);
  assert.equal(found.phase, "accepted");
  found.start();
  assert.equal(found.phase, "resolving");
  pod.onWorkload(POD);
  lost.start();
  pod.onWorkload(null);
  cut.start();
  cut.cut(null);
  assert.deepEqual(pod.done, [
    ...["added", "added", "added"],
    "resolves for pod, looked up ",
    ...["released", "refused inbound: no such workload", "removed"],
    ...["reset", "workload not awaited", "released", "removed"],
  ]);
  assert.deepEqual([found.ending, lost.ending, cut.ending], [
    null,
    { by: "us", how: "no route", phase: "resolving" },
    { by: "us", how: "drain", phase: "resolving" },
  ]);
});

Deno.test("connection: after a lookup it is resolved again without that lookup; a failed lookup ends it", () => {
  const pod = new Pod();
  const connection = new Plain(pod);
  connection.start();
  connection.look("ns/a.example");
  pod.onFound(null);
  connection.look("ns/b.example");
  pod.onFound("the control plane is away");
  assert.deepEqual(pod.done.slice(1), [
    "resolves for pod, looked up ",
    ...["looks up ns/a.example", "resolves for pod, looked up ns/a.example"],
    ...["looks up ns/b.example", "released", "refused inbound: the control plane is away", "removed"],
  ]);
});

Deno.test("connection: the end aborts what is pending and finishes the record before the last removal, once", () => {
  const pod = new Pod();
  const connection = new Plain(pod);
  connection.startRecord();
  connection.goOnTo("connecting", "dial");
  assert.equal(connection.phase, "connecting");
  connection.endWith("no route", "server");
  connection.endWith(null, "client");
  connection.turnAway("too late");
  connection.cut(null);
  connection.goOnTo("open");
  assert.deepEqual(pod.done, ["added", "dial aborted", "released", "finished no route", "removed"]);
  assert.equal(connection.phase, "ended");
  assert.deepEqual(connection.ending, { by: "server", how: "error", phase: "connecting" });
});

Deno.test("connection: a drain cancels the record, a change of policy finishes it", () => {
  for (const [message, outcome] of [[null, "cancelled"], ["policy", "finished policy"]] as const) {
    const pod = new Pod();
    const connection = new Plain(pod);
    connection.startRecord();
    connection.cut(message === null ? null : { message, id: "abcdefghijkl.1" });
    assert.deepEqual(pod.done, ["added", "reset", "released", outcome, "removed"]);
    // That of the policy was counted when it was made.
    assert.deepEqual(pod.decided, message === null ? ["drain"] : []);
    assert.equal(connection.decision, message === null ? "drain" : "abcdefghijkl.1");
  }
});

Deno.test("connection: an open one is half-closed while its copy is", () => {
  const connection = new Plain(new Pod());
  connection.carry(false);
  assert.equal(connection.phase, "open");
  connection.carry(true);
  assert.equal(connection.phase, "half-closed");
});

/** Runs turn by turn until nothing is left to do. Returns the phases of each connection that is added meanwhile. */
function phasesDuring(bed: Testbed, connections: Map<PodConnection, string[]>): void {
  for (let turns = 0; bed.memory.busy && turns < 1000; turns++) {
    bed.memory.step();
    for (const [connection, phases] of connections) {
      const { phase, ending } = connection;
      const now = ending === null ? phase : `${phase} by ${ending.by}`;
      if (phases.at(-1) !== now) phases.push(now);
    }
  }
}

/** Calls `run` with the phases of all connections that its pods make, in the order of their arrival. */
function watch(run: (connections: Map<PodConnection, string[]>) => void): string[] {
  const connections = new Map<PodConnection, string[]>();
  const { add } = Connections.prototype;
  Connections.prototype.add = function (this: Connections, connection: LiveConnection) {
    if (connection instanceof PodConnection) connections.set(connection, []);
    add.call(this, connection);
  };
  try {
    run(connections);
  } finally {
    Connections.prototype.add = add;
  }
  return [...connections].map(([{ constructor: { name } }, phases]) => `${name}: ${phases.join(", ")}`);
}

for (const first of ["client", "server"] as const) {
  Deno.test(`connection: phases of a call by HBONE on both sides, ended by the ${first}`, () => {
    const bed = new Testbed();
    bed.node("client", "10.0.0.1");
    bed.node("server", "10.0.0.2");
    const served = bed.listen("10.0.0.2:8080");
    const seen = watch((connections) => {
      const connected = bed.startConnecting("10.0.0.1", "10.0.0.2:8080");
      phasesDuring(bed, connections);
      const client = connected(), [server] = served;
      for (const socket of first === "client" ? [client, server!] : [server!, client]) {
        socket.end();
        phasesDuring(bed, connections);
      }
    });
    assert.deepEqual(seen, [
      `OutboundConnection: connecting, handshaking, requesting, open, half-closed, ended by ${first}`,
      "InboundConnection: resolving, handshaking, open",
      `InboundStream: connecting, open, half-closed, ended by ${first}`,
    ]);
    bed.assertClean();
  });
}

Deno.test("connection: phases of plain connections, outbound and inbound, that the server resets", () => {
  const bed = new Testbed();
  bed.node("client", "10.0.0.1");
  bed.node("server", "10.0.0.2", { workload: { protocol: "TCP" } });
  const served = bed.listen("10.0.0.2:8080");
  const seen = watch((connections) => {
    bed.startConnecting("10.0.0.1", "10.0.0.2:8080");
    phasesDuring(bed, connections);
    served[0]!.reset();
    phasesDuring(bed, connections);
  });
  assert.deepEqual(seen, [
    "OutboundConnection: connecting, open, ended by server",
    "PassthroughConnection: connecting, open, ended by server",
  ]);
  bed.assertClean();
});

Deno.test("connection: who ended a call that was refused, or that could not be made", () => {
  const bed = new Testbed();
  bed.node("client", "10.0.0.1");
  bed.node("server", "10.0.0.2");
  const seen = watch((connections) => {
    bed.startConnecting("10.0.0.1", "10.0.0.2:8080");
    phasesDuring(bed, connections);
    bed.startConnecting("10.0.0.1", "127.0.0.1:15001");
    phasesDuring(bed, connections);
  });
  assert.deepEqual(seen, [
    "OutboundConnection: connecting, handshaking, requesting, ended by peer",
    "InboundConnection: resolving, handshaking, open",
    "InboundStream: connecting, ended by server",
    "OutboundConnection: ended by us",
  ]);
  bed.assertClean();
});
