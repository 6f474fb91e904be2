import { strict as assert } from "node:assert";
import type { Call } from "../mesh/policy/authorize.ts";
import { parseIp } from "../net/address.ts";
import { type PendingDial, PendingDials } from "./pending_dials.ts";

class Dial implements PendingDial {
  static count = 0;
  readonly registration = ++Dial.count;
  readonly call: Call;
  why: string | null = null;

  constructor(identity: string | null, port: number, ip = "10.0.0.1") {
    const [source, target] = [{ ip: parseIp(ip)!, port: 1 }, { ip: parseIp("10.0.0.2")!, port }];
    this.call = { identity, source, target } as Call;
  }

  evict(why: string): void {
    this.why = why;
  }
}

const MOST = 100;

function add(to: PendingDials, count: number, make: (index: number) => Dial): Dial[] {
  return Array.from({ length: count }, (_, index) => {
    const dial = make(index);
    to.add(dial, MOST);
    return dial;
  });
}

const evicted = (dials: readonly Dial[]) => dials.filter(({ why }) => why !== null).length;

Deno.test("pending dials: beyond the bound the oldest dials of the caller with most are evicted, with the reason", () => {
  const dials = new PendingDials();
  const [others, crowd] = [add(dials, 20, () => new Dial("b", 80)), add(dials, 80, (i) => new Dial("a", i))];
  const [newcomer] = add(dials, 1, () => new Dial("c", 80));
  assert.deepEqual([evicted(others), evicted(crowd), newcomer!.why], [0, 16, null]);
  assert.equal(evicted(crowd.slice(0, 16)), 16, "the oldest");
  assert.equal(
    crowd[0]!.why,
    "gave way to others, as 100 connections wait for applications already, 80 of them for caller a",
  );
  assert.equal(dials.size, 85);
});

Deno.test("pending dials: with many callers of one port that does not answer, dials of this port are evicted", () => {
  const dials = new PendingDials();
  const others = add(dials, 20, () => new Dial("b", 80));
  const crowd = add(dials, 81, (i) => new Dial(`a${i}`, 6666));
  assert.deepEqual([evicted(others), evicted(crowd)], [0, 16]);
  assert.match(crowd[0]!.why!, /81 of them for port 6666$/);
});

Deno.test("pending dials: callers without an identity are told apart by their addresses", () => {
  const dials = new PendingDials();
  const others = add(dials, 20, (i) => new Dial(null, 80, `10.0.1.${i}`));
  const crowd = add(dials, 81, (i) => new Dial(null, i));
  assert.deepEqual([evicted(others), evicted(crowd)], [0, 16]);
});

Deno.test("pending dials: a dial that has ended does not count", () => {
  const dials = new PendingDials();
  const ended = add(dials, MOST, () => new Dial("a", 80));
  for (const dial of ended) dials.delete(dial);
  assert.equal(evicted(add(dials, MOST, () => new Dial("a", 80))), 0);
  assert.equal(evicted(ended), 0);
});
