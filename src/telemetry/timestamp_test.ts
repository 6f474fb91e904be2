import { strict as assert } from "node:assert";
import { systemClock, timestamps } from "./timestamp.ts";

const HOUR = 3_600_000;

/** A machine whose clock is set by the test. */
class Machine {
  wall = Date.UTC(2026, 0, 1);
  passed = 5000;

  now(): number {
    return this.wall;
  }

  elapsed(): number {
    return this.passed;
  }

  pass(ms: number): void {
    this.wall += Math.floor(ms);
    this.passed += ms;
  }
}

Deno.test("system clock: microseconds between the milliseconds of the machine's clock", () => {
  const machine = new Machine();
  const read = systemClock(machine);
  const first = read();
  machine.pass(0.25);
  assert.equal(read() - first, 250);
});

for (const jump of [-HOUR, HOUR]) {
  Deno.test(`system clock: when the machine's clock is set by ${jump / HOUR} h, log lines follow within a second`, () => {
    const machine = new Machine();
    const read = systemClock(machine), format = timestamps();
    assert.equal(format(read()), "2026-01-01T00:00:00.000000Z");
    machine.wall += jump;
    machine.pass(1000);
    assert.equal(format(read()), jump < 0 ? "2025-12-31T23:00:01.000000Z" : "2026-01-01T01:00:01.000000Z");
  });
}

Deno.test("system clock: small differences are not corrected, so that lines keep their order", () => {
  const machine = new Machine();
  const read = systemClock(machine);
  const first = read();
  machine.wall -= 4;
  machine.pass(2000);
  assert.equal(read() - first, 2_000_000);
});
