import { strict as assert } from "node:assert";
import { ReceiveWindow } from "./flow.ts";
import { WindowBudget } from "./window_budget.ts";
import { WindowGrowth } from "./window_growth.ts";

function make(size = 1000, most = 1_000_000) {
  const window = new ReceiveWindow(size), budget = new WindowBudget(most);
  return { window, budget, growth: new WindowGrowth(window, budget, 0) };
}

Deno.test("window growth: a window doubles when half a round trip uses it up, to four times its size at most", () => {
  const { window, budget, growth } = make();
  // 1000 bytes in 10 ms with a round trip of 100 ms: ten windows per round trip.
  assert.equal(growth.released(999, 10, 100), 0);
  assert.equal(growth.released(1, 10, 100), 1000);
  assert.equal(window.size, 2000);
  assert.equal(growth.released(2000, 30, 100), 2000);
  assert.equal(growth.released(4000, 70, 100), 0);
  assert.equal(window.size, 4000);
  assert.equal(budget.granted, 3000);
  growth.end();
  growth.end();
  assert.equal(budget.granted, 0);
});

Deno.test("window growth: a window that lasts for two round trips does not grow", () => {
  const { window, growth } = make();
  assert.equal(growth.released(1000, 20, 10), 0);
  assert.equal(window.size, 1000);
});

Deno.test("window growth: the budget of all connections is not exceeded", () => {
  const { window, budget, growth } = make(1000, 1500);
  assert.equal(growth.released(1000, 1, 100), 1000);
  assert.equal(growth.released(2000, 2, 100), 0);
  assert.equal(window.size, 2000);
  assert.equal(budget.granted, 1000);
});

Deno.test("window growth: the peer gets the added bytes with the next credit", () => {
  const { window, growth } = make();
  window.take(1000);
  growth.released(1000, 1, 100);
  assert.equal(window.returnCredit(1000), 2000);
  assert.equal(window.available, 2000);
});
