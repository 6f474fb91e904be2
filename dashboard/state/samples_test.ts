import { strict as assert } from "node:assert";
import { busyShare, eventRate, gauge, latest, rate, type Samples, sum, withSample } from "./samples.ts";

const hour = (samples: number[][], names = ["time", "value"]): Samples => ({ every: 5000, names, samples });

Deno.test("samples: an hour is kept", () => {
  let state = hour([]);
  for (let i = 0; i < 725; i++) state = withSample(state, [i * 5000, i]);
  assert.deepEqual([state.samples.length, state.samples[0], state.samples.at(-1)], [720, [25_000, 5], [
    3_620_000,
    724,
  ]]);
});

Deno.test("samples: rates per second, none for the first sample and where a counter begins again", () => {
  assert.deepEqual(rate(hour([[0, 10], [5000, 20], [10_000, 5], [20_000, 25]]), "value"), [null, 2, null, 2]);
  assert.deepEqual(rate(hour([[5000, 1], [5000, 2]]), "value"), [null, null]);
  assert.deepEqual(gauge(hour([[0, 10]]), "unknown"), [null]);
});

Deno.test("samples: busy time is a share of each worker's time", () => {
  const names = ["time", "workers", "busy"];
  assert.deepEqual(busyShare(hour([[0, 2, 0], [5000, 2, 5000], [10_000, 2, 50_000]], names)), [null, 0.5, 1]);
});

Deno.test("samples: sums and the last known value", () => {
  assert.deepEqual(sum([1, null, 3], [1, 1, 1]), [2, null, 4]);
  assert.deepEqual([latest([1, 2, null]), latest([]), latest([5, null, null, null])], [2, null, null]);
});

Deno.test("samples: events per second of openings, endings and refusals", () => {
  const names = ["time", "openedInbound", "openedOutbound", "refused"];
  assert.equal(eventRate(hour([[0, 0, 0, 0], [1000, 10, 5, 2]], names)), 32);
  assert.equal(eventRate(hour([])), 0);
});
