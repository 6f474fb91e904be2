import { strict as assert } from "node:assert";
import type { TurnTask } from "./network.ts";
import { Rounds } from "./rounds.ts";

class Turns {
  turn = 0;
  readonly next = new Set<TurnTask>();

  nextTurn(task: TurnTask): void {
    this.next.add(task);
  }

  step(): void {
    this.turn++;
    const tasks = [...this.next];
    this.next.clear();
    for (const task of tasks) task.runTurn();
  }
}

Deno.test("rounds: one waiting task runs in each turn, in order, and a task that is added again waits behind the others", () => {
  const turns = new Turns(), rounds = new Rounds(turns);
  const ran: string[] = [];
  const left = new Map([["a", 3], ["b", 1], ["c", 2]]);
  for (const [name] of left) {
    const task: TurnTask = {
      runTurn() {
        ran.push(name);
        left.set(name, left.get(name)! - 1);
        if (left.get(name)! > 0) rounds.add(task);
      },
    };
    rounds.add(task);
    rounds.add(task);
  }
  while (turns.next.size > 0) {
    turns.step();
    assert.equal(ran.length, turns.turn, "one a turn");
  }
  assert.equal(ran.join(""), "abcaca");
});

Deno.test("rounds: a single task runs at once, the next one in the next turn", () => {
  const turns = new Turns(), rounds = new Rounds(turns);
  const ran: string[] = [];
  const say = (name: string): TurnTask => ({ runTurn: () => void ran.push(`${name}${turns.turn}`) });
  turns.step();
  rounds.take(say("a"));
  rounds.take(say("b"));
  rounds.take(say("c"));
  assert.deepEqual(ran, ["a1"]);
  turns.step();
  rounds.take(say("d"));
  turns.step();
  turns.step();
  assert.deepEqual(ran, ["a1", "b2", "c3", "d4"]);
  turns.step();
  assert.equal(turns.next.size, 0, "and then the loop may wait");
});

Deno.test("rounds: several tasks run in a turn when that is configured", () => {
  const turns = new Turns(), rounds = new Rounds(turns, 3);
  const ran: string[] = [];
  for (let i = 0; i < 8; i++) {
    const task: TurnTask = {
      runTurn() {
        ran.push(`${turns.turn}:${i}`);
        if (i === 3 && turns.turn < 3) rounds.add(task);
      },
    };
    rounds.take(task);
  }
  assert.deepEqual(ran, ["0:0", "0:1", "0:2"]);
  while (turns.next.size > 0) turns.step();
  assert.deepEqual(ran.slice(3), ["1:3", "1:4", "1:5", "2:6", "2:7", "2:3", "3:3"]);
});

Deno.test("rounds: a task that ran at once uses up its turn", () => {
  const turns = new Turns(), rounds = new Rounds(turns);
  const ran: string[] = [];
  rounds.add({ runTurn: () => void ran.push("waiting") });
  const task: TurnTask = { runTurn: () => void ran.push("eager") };
  rounds.take(task);
  assert.deepEqual(ran, []);
  turns.step();
  assert.deepEqual(ran, ["waiting"]);
  turns.step();
  assert.deepEqual(ran, ["waiting", "eager"]);
});
