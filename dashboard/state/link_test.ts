import { strict as assert } from "node:assert";
import { type Link, type LinkEvent, NEW_LINK, nextLink, retryPause } from "./link.ts";

const walk = (...events: LinkEvent[]): Link => events.reduce(nextLink, NEW_LINK);
const OPEN = { kind: "open" } as const, RETRY = { kind: "retry" } as const;
const broken = (now: number) => ({ kind: "broken", now }) as const;

Deno.test("link: lost, tried again, and back", () => {
  assert.deepEqual(walk(OPEN, broken(7)), { state: "lost", failures: 1, since: 7 });
  assert.deepEqual(walk(OPEN, broken(7), RETRY), { state: "connecting", failures: 1 });
  assert.deepEqual(walk(OPEN, broken(7), RETRY, broken(9)), { state: "lost", failures: 2, since: 9 });
  assert.deepEqual(walk(broken(1), RETRY, OPEN), { state: "live" });
});

Deno.test("link: what comes twice changes nothing", () => {
  assert.deepEqual(walk(OPEN, OPEN, RETRY), { state: "live" });
  assert.deepEqual(walk(broken(1), broken(2)), { state: "lost", failures: 1, since: 1 });
});

Deno.test("link: pauses double up to eight seconds", () => {
  assert.deepEqual([1, 2, 3, 5, 20].map(retryPause), [500, 1000, 2000, 8000, 8000]);
});
