import { strict as assert } from "node:assert";
import type { TurnTask } from "../net/network.ts";
import { Rounds } from "./rounds.ts";

Deno.test("rounds: one of those who are behind a turn, in order, whoever comes back behind the others", () => {
  const next = new Set<TurnTask>();
  const rounds = new Rounds({ nextTurn: (task) => void next.add(task) });
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
  let turns = 0;
  while (next.size > 0) {
    const tasks = [...next];
    next.clear();
    for (const task of tasks) task.runTurn();
    turns++;
    assert.equal(said.length, turns, "one a turn");
  }
  assert.equal(said.join(""), "abcaca");
});
