/** The part of the network contract for schedulers: timers and tasks of turns. */
import { strict as assert } from "node:assert";
import type { ContractTest } from "./contract_kit.ts";

/** Registers the tests of `Scheduler`. */
export function schedulerContract(test: ContractTest): void {
  test("timers run by due time, equal delays set in one turn in the order they were set", async ({ network, run }) => {
    const ran: string[] = [];
    network.after(0, () => {
      network.after(30, () => ran.push("late"));
      network.after(1, () => ran.push("early"));
      network.after(10, () => ran.push("a"));
      network.after(10, () => ran.push("b"));
      network.after(10, () => ran.push("c"));
    });
    await run(() => ran.length === 5);
    assert.deepEqual(ran, ["early", "a", "b", "c", "late"]);
  });

  test("timers that are due together run in portions, in order, with tasks of other turns in between", async (rig) => {
    const { network, run } = rig;
    const COUNT = 300;
    const turns: number[] = [], order: number[] = [];
    let tasks = 0;
    const busy = {
      runTurn() {
        tasks++;
        if (order.length < COUNT) network.nextTurn(busy);
      },
    };
    network.after(0, () => {
      for (let i = 0; i < COUNT; i++) {
        network.after(5, () => {
          order.push(i);
          turns.push(network.turn);
          if (i === 0) network.nextTurn(busy);
        });
      }
    });
    await run(() => order.length === COUNT);
    assert.deepEqual(order, Array.from({ length: COUNT }, (_, i) => i));
    const perTurn = Math.max(...Map.groupBy(turns, (turn) => turn).values().map(({ length }) => length));
    assert.ok(perTurn <= 64, `${perTurn} in one turn`);
    assert.ok(tasks >= COUNT / 64 - 1, `${tasks} tasks of other turns`);
  });

  test("a cancelled timer does not run; cancelling is idempotent", async ({ network, run }) => {
    const ran: string[] = [];
    const victim = network.after(5, () => ran.push("victim"));
    network.after(1, () => {
      victim.cancel();
      victim.cancel();
    });
    const end = network.after(20, () => ran.push("end"));
    await run(() => ran.length > 0);
    end.cancel();
    assert.deepEqual(ran, ["end"]);
  });

  test("a timer never runs inside of after, and time does not go backwards", async ({ network, run }) => {
    const before = network.now();
    let inside = true;
    let ranInside = false;
    let at: number | null = null;
    network.after(0, () => {
      ranInside = inside;
      at = network.now();
    });
    inside = false;
    await run(() => at !== null);
    assert.ok(!ranInside);
    assert.ok(at !== null && at >= before);
  });

  test("tasks of the turn's end follow the turn's events, next turn's tasks follow those", async ({ network, run }) => {
    const ran: string[] = [];
    const task = (name: string) => ({ runTurn: () => void ran.push(name) });
    network.after(0, () => {
      network.nextTurn(task("next 1"));
      network.atTurnEnd(task("end 1"));
      network.nextTurn(task("next 2"));
      network.atTurnEnd(task("end 2"));
      ran.push("event");
    });
    await run(() => ran.length === 5);
    assert.deepEqual(ran, ["event", "end 1", "end 2", "next 1", "next 2"]);
  });

  test("tasks of the turn's end run between two callbacks of a turn after endTurnSoon", async ({ network, run }) => {
    const ran: string[] = [];
    const turns = new Set<number>();
    const task = (name: string, more = () => {}) => ({
      runTurn: () => {
        ran.push(name);
        turns.add(network.turn);
        more();
      },
    });
    network.after(0, () => {
      network.nextTurn(task("a", () => {
        network.atTurnEnd(task("end of a"));
        network.endTurnSoon();
        ran.push("still a");
      }));
      network.nextTurn(task("b", () => network.atTurnEnd(task("end of b"))));
      network.nextTurn(task("c"));
    });
    await run(() => ran.length === 6);
    assert.deepEqual(ran, ["a", "still a", "end of a", "b", "c", "end of b"]);
    assert.equal(turns.size, 1);
  });

  test("a task queued twice in a turn runs once", async ({ network, run }) => {
    let ends = 0;
    let nexts = 0;
    let over = false;
    const end = { runTurn: () => void ends++ };
    const next = { runTurn: () => void nexts++ };
    network.after(0, () => {
      for (let i = 0; i < 3; i++) network.atTurnEnd(end);
      for (let i = 0; i < 3; i++) network.nextTurn(next);
    });
    network.after(5, () => over = true);
    await run(() => over && nexts > 0);
    assert.equal(ends, 1);
    assert.equal(nexts, 1);
  });

  test("a task can add another for the end of the same turn", async ({ network, run }) => {
    const turns: number[] = [];
    network.after(0, () => {
      network.atTurnEnd({
        runTurn: () => {
          turns.push(network.turn);
          network.atTurnEnd({ runTurn: () => void turns.push(network.turn) });
        },
      });
    });
    await run(() => turns.length === 2);
    assert.equal(turns[0], turns[1]);
  });

  test("timers run although a task runs in each turn, and turns are counted", async ({ network, run }) => {
    const turns: number[] = [];
    let over = false;
    const busy = {
      runTurn() {
        turns.push(network.turn);
        if (!over) network.nextTurn(busy);
      },
    };
    network.nextTurn(busy);
    network.after(0, () => over = true);
    await run(() => over);
    assert.ok(turns.every((turn, i) => i === 0 || turn > turns[i - 1]!));
  });

  test("tasks that were added outside of a turn run", async ({ network, run }) => {
    const ran: string[] = [];
    network.atTurnEnd({ runTurn: () => void ran.push("end") });
    await run(() => ran.length === 1);
    network.nextTurn({ runTurn: () => void ran.push("next") });
    await run(() => ran.length === 2);
    assert.deepEqual(ran, ["end", "next"]);
  });
}
