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

Deno.test("rounds: one of those who wait a turn, in order, whoever comes back behind the others", () => {
  const turns = new Turns(), rounds = new Rounds(turns);
  const said: string[] = [];
  const left = new Map([["a", 3], ["b", 1], ["c", 2]]);
  for (const [name] of left) {
    const task: TurnTask = {
      runTurn() {
        said.push(name);
        left.set(name, left.get(name)! - 1);
        if (left.get(name)! > 0) rounds.add(task);
      },
    };
    rounds.add(task);
    rounds.add(task);
  }
  while (turns.next.size > 0) {
    turns.step();
    assert.equal(said.length, turns.turn, "one a turn");
  }
  assert.equal(said.join(""), "abcaca");
});

Deno.test("rounds: who is alone works at once, the next one in the turn after", () => {
  const turns = new Turns(), rounds = new Rounds(turns);
  const said: string[] = [];
  const say = (name: string): TurnTask => ({ runTurn: () => void said.push(`${name}${turns.turn}`) });
  turns.step();
  rounds.take(say("a"));
  rounds.take(say("b"));
  rounds.take(say("c"));
  assert.deepEqual(said, ["a1"]);
  turns.step();
  rounds.take(say("d"));
  turns.step();
  turns.step();
  assert.deepEqual(said, ["a1", "b2", "c3", "d4"]);
  turns.step();
  assert.equal(turns.next.size, 0, "and then the loop may wait");
});

Deno.test("rounds: several tasks run in a turn, where each has little to do", () => {
  const turns = new Turns(), rounds = new Rounds(turns, 3);
  const said: string[] = [];
  for (let i = 0; i < 8; i++) {
    const task: TurnTask = {
      runTurn() {
        said.push(`${turns.turn}:${i}`);
        if (i === 3 && turns.turn < 3) rounds.add(task);
      },
    };
    rounds.take(task);
  }
  assert.deepEqual(said, ["0:0", "0:1", "0:2"]);
  while (turns.next.size > 0) turns.step();
  assert.deepEqual(said.slice(3), ["1:3", "1:4", "1:5", "2:6", "2:7", "2:3", "3:3"]);
});

Deno.test("rounds: who worked at once in a turn has the others wait for theirs", () => {
  const turns = new Turns(), rounds = new Rounds(turns);
  const said: string[] = [];
  rounds.add({ runTurn: () => void said.push("waiting") });
  const task: TurnTask = { runTurn: () => void said.push("eager") };
  rounds.take(task);
  assert.deepEqual(said, []);
  turns.step();
  assert.deepEqual(said, ["waiting"]);
  turns.step();
  assert.deepEqual(said, ["waiting", "eager"]);
});
