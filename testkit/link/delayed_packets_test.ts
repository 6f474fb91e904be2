import { strict as assert } from "node:assert";
import { DelayedPackets, type LinkConditions } from "./delayed_packets.ts";

const PLAIN: LinkConditions = {
  delayMillis: 25,
  bitsPerSecond: null,
  queueBytes: 0,
  lossShare: 0,
  reorderShare: 0,
  duplicateShare: 0,
  largestPacket: 1500,
};
/** One byte per microsecond. */
const EIGHT_MEGABIT: LinkConditions = { ...PLAIN, bitsPerSecond: 8e6, queueBytes: 3000 };

/** Takes out all packets: the first byte of each and when it was due. */
function arrivals(packets: DelayedPackets): [mark: number, due: number][] {
  const all: [number, number][] = [];
  for (; packets.dueAt < Infinity; packets.removeFirst()) all.push([packets.first[0]!, packets.dueAt]);
  return all;
}

function send(packets: DelayedPackets, mark: number, length: number, now: number, conditions: LinkConditions): boolean {
  packets.space[0] = mark;
  return packets.accept(length, now, conditions);
}

Deno.test("delayed packets: each is due after the delay, in order", () => {
  const packets = new DelayedPackets(1);
  assert.equal(packets.dueAt, Infinity);
  for (const [mark, now] of [[1, 0], [2, 0], [3, 10]] as const) assert.ok(send(packets, mark, 1500, now, PLAIN));
  assert.equal(packets.firstLength, 1500);
  assert.deepEqual(arrivals(packets), [[1, 25], [2, 25], [3, 35]]);
});

Deno.test("delayed packets: a rate spaces them out, and packets that find the queue full are dropped", () => {
  const packets = new DelayedPackets(1);
  const taken = [1, 2, 3, 4].map((mark) => send(packets, mark, 1000, 0, EIGHT_MEGABIT));
  assert.deepEqual(taken, [true, true, true, false]);
  // One millisecond later one of the three has been transmitted.
  assert.ok(send(packets, 5, 1000, 1, EIGHT_MEGABIT));
  assert.ok(!send(packets, 6, 1, 1, EIGHT_MEGABIT));
  assert.deepEqual(arrivals(packets), [[1, 26], [2, 27], [3, 28], [5, 29]]);
  // An idle line sends at once.
  assert.ok(send(packets, 7, 1000, 100, EIGHT_MEGABIT));
  assert.deepEqual(arrivals(packets), [[7, 126]]);
});

Deno.test("delayed packets: the chosen share is lost, the same packets in every run", () => {
  const survivors = (seed: number) => {
    const packets = new DelayedPackets(seed);
    return Array.from({ length: 10_000 }, (_, n) => n).filter((n) => {
      const taken = send(packets, n & 255, 100, 0, { ...PLAIN, lossShare: 0.2 });
      if (taken) packets.removeFirst();
      return taken;
    });
  };
  const some = survivors(7);
  assert.ok(some.length > 7800 && some.length < 8200, `${some.length} of 10,000 survived`);
  assert.deepEqual(survivors(7), some);
  assert.notDeepEqual(survivors(8), some);
});

Deno.test("delayed packets: some overtake others, each arrives once, and due times stay in order", () => {
  const order = (seed: number) => {
    const packets = new DelayedPackets(seed);
    for (let mark = 0; mark < 200; mark++) send(packets, mark, 100, mark, { ...PLAIN, reorderShare: 0.1 });
    return arrivals(packets);
  };
  const marks = order(7).map(([mark]) => mark);
  const late = marks.filter((mark, index) => mark < index).length;
  assert.ok(late > 10 && late < 80, `${late} of 200 were overtaken`);
  assert.deepEqual(marks.toSorted((a, b) => a - b), Array.from({ length: 200 }, (_, mark) => mark));
  assert.deepEqual(order(7).map(([, due]) => due), Array.from({ length: 200 }, (_, mark) => mark + 25));
  assert.deepEqual(order(7), order(7));
  assert.notDeepEqual(order(8), order(7));
});

Deno.test("delayed packets: a packet that overtakes another keeps its length", () => {
  const packets = new DelayedPackets(7);
  for (let mark = 1; mark < 100; mark++) send(packets, mark, mark, 0, { ...PLAIN, reorderShare: 0.5 });
  for (; packets.dueAt < Infinity; packets.removeFirst()) assert.equal(packets.firstLength, packets.first[0]);
});

Deno.test("delayed packets: some arrive twice, one right after the other", () => {
  const packets = new DelayedPackets(7);
  for (let mark = 0; mark < 200; mark++) send(packets, mark, 100, mark, { ...PLAIN, duplicateShare: 0.1 });
  const marks = arrivals(packets).map(([mark]) => mark);
  assert.ok(marks.length > 205 && marks.length < 240, `${marks.length} arrived`);
  assert.deepEqual(marks, marks.toSorted((a, b) => a - b));
  assert.equal(new Set(marks).size, 200);
});

Deno.test("delayed packets: packets above the path's MTU are dropped", () => {
  const packets = new DelayedPackets(7);
  const narrow = { ...PLAIN, largestPacket: 1280 };
  assert.deepEqual([1280, 1281, 1500].map((length) => send(packets, 1, length, 0, narrow)), [true, false, false]);
});

Deno.test("delayed packets: the number in flight is bounded", () => {
  const packets = new DelayedPackets(1);
  let taken = 0;
  while (send(packets, 1, 40, 0, PLAIN)) taken++;
  assert.equal(taken, (1 << 14) - 1);
  packets.removeFirst();
  assert.ok(send(packets, 2, 40, 0, PLAIN));
});
