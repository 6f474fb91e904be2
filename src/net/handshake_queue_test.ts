import { strict as assert } from "node:assert";
import { parseIp } from "./address.ts";
import { type HandshakeLoop, HandshakeRounds, HandshakeTurns } from "./handshake_queue.ts";
import type { TurnTask } from "./network.ts";

/** An event loop whose turns take a millisecond each. */
class Turns implements HandshakeLoop {
  turn = 0;
  readonly next = new Set<TurnTask>();
  readonly handshakes = new HandshakeRounds(this, 1);
  readonly steps: string[] = [];

  now = () => this.turn;

  nextTurn(task: TurnTask): void {
    this.next.add(task);
  }

  run(turns: number): void {
    for (const end = this.turn + turns; this.turn < end;) {
      this.turn++;
      const tasks = [...this.next];
      this.next.clear();
      for (const task of tasks) task.runTurn();
    }
  }

  /** A handshake that records its name at each step. */
  begin(name: string, { role = "server" as "client" | "server", own = 1, peer = 1 } = {}): HandshakeTurns {
    const parties = { role, own: parseIp(`10.0.0.${own}`)!, peer: parseIp(`10.0.1.${peer}`)! };
    return new HandshakeTurns(this, parties, () => this.steps.push(name));
  }

  /** Many handshakes from one address. */
  crowd(count: number, to: { own?: number; peer?: number } = {}): HandshakeTurns[] {
    const crowd = Array.from({ length: count }, () => this.begin("other", to));
    for (const one of crowd) one.add();
    return crowd;
  }

  /** The number of turns until `name` has run. */
  until(name: string): number {
    const from = this.turn;
    while (!this.steps.includes(name)) {
      this.run(1);
      if (this.turn - from > 10_000) throw new Error(`${name} never had its turn`);
    }
    return this.turn - from;
  }
}

Deno.test("handshakes: one step runs in each turn, at once when no other handshake waits", () => {
  const turns = new Turns();
  turns.run(1);
  turns.begin("a").take();
  turns.begin("b").take();
  assert.deepEqual(turns.steps, ["a"]);
  turns.run(1);
  assert.deepEqual(turns.steps, ["a", "b"]);
});

Deno.test("handshakes: many peers of one pod do not delay another pod", () => {
  const turns = new Turns();
  turns.crowd(2000, { own: 1 });
  turns.begin("honest", { own: 2 }).add();
  assert.ok(turns.until("honest") <= 2);
});

Deno.test("handshakes: many connections from one address do not delay others at the same pod", () => {
  const turns = new Turns();
  turns.crowd(2000, { peer: 1 });
  turns.run(10);
  turns.begin("honest", { peer: 2 }).add();
  assert.ok(turns.until("honest") <= 2);
});

Deno.test("handshakes: those of outgoing connections get half of the turns, however many pods are called", () => {
  const turns = new Turns();
  for (let own = 1; own <= 50; own++) turns.crowd(20, { own });
  turns.begin("outbound", { role: "client", own: 99 }).add();
  assert.ok(turns.until("outbound") <= 2);
});

Deno.test("handshakes: a peer that has answered goes before new peers of the same address", () => {
  const turns = new Turns();
  const honest = turns.begin("honest");
  honest.take();
  turns.steps.length = 0;
  turns.crowd(2000);
  honest.take();
  assert.ok(turns.until("honest") <= 2);
});

Deno.test("handshakes: peers that have answered do not block new peers", () => {
  const turns = new Turns();
  const answering = turns.crowd(50);
  turns.run(50);
  for (const one of answering) one.take();
  turns.begin("honest", { peer: 2 }).add();
  assert.ok(turns.until("honest") <= 5);
});

Deno.test("handshakes: finished ones use no turns", () => {
  const turns = new Turns();
  for (const one of turns.crowd(2000)) one.end("failed");
  turns.begin("honest").add();
  assert.equal(turns.until("honest"), 1);
  turns.run(1);
  assert.equal(turns.next.size, 0, "and then the loop may wait");
});

Deno.test("handshakes: the time in the queue is returned once, and does not count as the peer's", () => {
  const turns = new Turns();
  turns.crowd(10);
  const one = turns.begin("one");
  one.add();
  assert.equal(one.peerSince, null);
  turns.run(4);
  assert.equal(one.takeQueuedTime(), 4);
  turns.run(20);
  assert.equal(one.takeQueuedTime(), 7, "until it had its turn");
  assert.equal(one.takeQueuedTime(), 0);
  assert.equal(one.peerSince, 11);
});
