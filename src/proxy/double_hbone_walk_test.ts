/**
 * Double HBONE under random events: applications send, stop reading, end and reset, sockets of the
 * client's node and of the gateway break, the gateway refuses, cuts and ends, certificates are late, time passes.
 * In every order the bytes that come back are those that were sent, each connection is recorded once, nothing is left.
 */
import { strict as assert } from "node:assert";
import fc from "fast-check";
import type { TestSocket } from "../hbone/testkit/socket.ts";
import { RESET_BY_PEER } from "../net/testkit/memory_endings.ts";
import type { TestNode } from "../dataplane/testkit/testbed.ts";
import { CLIENT, TwoNetworks, VIP } from "../dataplane/testkit/gateway.ts";

/** Shrinking many steps can take hours, so a failure shows the steps as they were. */
const REPEATABLE = { seed: 20_261_125, endOnFailure: true, numRuns: 60 };

type Side = "client" | "app";
type Step =
  | { readonly do: "connect" | "refuse" | "serve" | "cut" | "die" | "hold" | "issue" }
  | { readonly do: "send"; readonly which: number; readonly size: number }
  | { readonly do: "end" | "reset" | "stop" | "go"; readonly side: Side; readonly which: number }
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: "turns"; readonly count: number }
  | { readonly do: "break"; readonly at: "client" | "gateway"; readonly which: number };

const which = fc.nat(5);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("connect" as const) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("send" as const), which, size: fc.nat(200_000) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom("end" as const, "reset", "stop", "go"),
      side: fc.constantFrom<Side>("client", "app"),
      which,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.nat(12_000) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("turns" as const), count: fc.nat(6) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("break" as const),
      at: fc.constantFrom("client" as const, "gateway"),
      which: fc.nat(9),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom("refuse" as const, "serve", "serve", "cut", "die", "hold", "issue") }),
  },
);

class Walk {
  readonly bed: TwoNetworks;
  readonly clients: (() => TestSocket)[] = [];
  readonly #sent: number[] = [];

  constructor() {
    const env = { HTTP2_STREAM_WINDOW_SIZE: "100000", HTTP2_CONNECTION_WINDOW_SIZE: "400000" };
    this.bed = new TwoNetworks({
      memory: { bufferBytes: 20_000 },
      client: { env },
      server: { env },
      app: (app) => {
        app.onBytes = (bytes) => app.hasEnded || app.send(bytes);
        app.onEnded = () => void app.end();
      },
    });
  }

  take(step: Step): void {
    const { bed } = this;
    switch (step.do) {
      case "connect":
        return this.#connect();
      case "send":
        return this.#send(step.which, step.size);
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
        const open = [...(step.at === "client" ? bed.client.host : bed.gateway.host).open];
        if (open.length > 0) bed.memory.breakStream(open[step.which % open.length]!, RESET_BY_PEER);
        return;
      }
      case "refuse":
        bed.gateway.status = "503";
        return;
      case "serve":
        bed.gateway.status = null;
        return;
      case "cut":
        return bed.gateway.cut();
      case "die":
        return bed.gateway.die();
      case "hold":
        bed.client.certificates = "hold";
        return;
      case "issue":
        bed.client.certificates = "issue";
        return bed.client.issueCertificate();
      default:
        step satisfies never;
    }
  }

  /** All applications read everything and close. */
  finish(): void {
    const { bed, clients } = this;
    bed.advance(1);
    const all = () => [...clients.map((client) => client()), ...bed.apps];
    for (const socket of all()) {
      socket.goOnReading();
      socket.end();
    }
    bed.advance(60_000);
    for (const socket of all()) socket.close();
    bed.advance(2000);
  }

  /** Each sends bytes of its own, and gets the first of them back. */
  #connect(): void {
    const client = this.bed.startConnecting(CLIENT, `${VIP}:8080`);
    this.bed.memory.step();
    this.bed.memory.step();
    const number = this.clients.length;
    let position = 0;
    client().onBytes = (bytes) => {
      const wrong = bytes.findIndex((byte, i) => byte !== byteOf(number, position + i));
      assert.equal(wrong, -1, `byte ${position + wrong} of connection ${number} is another`);
      position += bytes.length;
      assert.ok(position <= this.#sent[number]!);
    };
    this.clients.push(client);
    this.#sent.push(0);
  }

  #send(number: number, size: number): void {
    const socket = this.clients[number]?.();
    if (socket === undefined || socket.hasEnded || socket.duplex.failure !== null) return;
    const from = this.#sent[number]!;
    this.#sent[number] = from + size;
    socket.send(Uint8Array.from({ length: size }, (_, i) => byteOf(number, from + i)));
  }

  #socket(side: Side, number: number): TestSocket | undefined {
    return side === "client" ? this.clients[number]?.() : this.bed.apps[number];
  }
}

function byteOf(number: number, position: number): number {
  return (position * 7 + (position >> 8) + number * 31) & 255;
}

function assertRecordedOnce({ series, access, name }: TestNode, connections: number | null): void {
  const sum = (counts: Iterable<number>) => [...counts].reduce((total, count) => total + count, 0);
  const opened = sum(series.map((one) => one.opened));
  const closed = sum(series.flatMap((one) => Object.values(one.closed)));
  const lines = access.filter((line) => line.includes(" connection complete ")).length;
  assert.deepEqual({ closed, lines }, { closed: opened, lines: opened }, name);
  if (connections !== null) assert.equal(opened, connections);
}

Deno.test("double HBONE: random events: bytes intact, each connection recorded once, nothing left", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 30, maxLength: 80, size: "max" }), (steps) => {
      const walk = new Walk();
      for (const step of steps) walk.take(step);
      walk.finish();
      const { bed } = walk;
      assertRecordedOnce(bed.client, walk.clients.length);
      assertRecordedOnce(bed.server!, null);
      bed.assertClean();
    }),
    REPEATABLE,
  );
});

Deno.test("double HBONE: random events, and the client's node is stopped at some point", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 40, size: "max" }), fc.boolean(), (steps, force) => {
      const walk = new Walk();
      for (const step of steps) walk.take(step);
      const { client } = walk.bed;
      if (force) client.stop();
      else client.drain(1000);
      walk.bed.advance(3000);
      assert.equal(client.drained, true);
      assert.deepEqual(client.held, { streams: 0, dials: 0, timers: 0, listeners: 0 });
      assertRecordedOnce(client, null);
      walk.finish();
      walk.bed.assertClean();
    }),
    REPEATABLE,
  );
});
