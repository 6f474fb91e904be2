import { strict as assert } from "node:assert";
import type { SegmentCounts } from "../net/network_path.ts";
import { MemoryNetwork } from "../net/testkit/memory_network.ts";
import { ExtraConnections } from "./extra_connections.ts";
import { Spread, type SpreadConnection } from "./spread.ts";

/** A connection whose streams the test opens. A bulk stream moves much in each second. */
class Connection implements SpreadConnection {
  readonly name: string;
  canOpen = true;
  bulk = 0;
  others = 0;
  counts: SegmentCounts = { sent: 0, retransmitted: 0, received: 0, outOfOrder: 0 };

  constructor(name: string) {
    this.name = name;
  }

  get streamCount(): number {
    return this.bulk + this.others;
  }

  countBusyStreams(): number {
    return this.bulk;
  }

  countSegments(): SegmentCounts {
    return this.counts;
  }

  /** What is sent in a second. */
  send(lossShare: number): void {
    const { sent, retransmitted } = this.counts;
    this.counts = { ...this.counts, sent: sent + 1000, retransmitted: retransmitted + 1000 * lossShare };
  }
}

class Bed {
  readonly network = new MemoryNetwork();
  readonly connections: Connection[] = [];
  readonly connecting = new Set<Connection>();
  readonly spread: Spread<Connection>;
  made = 0;

  constructor(extra = new ExtraConnections()) {
    this.open("a");
    this.spread = new Spread(this.network, extra, {
      connections: this.connections,
      connecting: this.connecting,
      connect: () => {
        const connection = new Connection(`extra ${++this.made}`);
        this.connecting.add(connection);
        this.spread.added(connection);
      },
    });
  }

  open(name: string): Connection {
    const connection = new Connection(name);
    this.connections.push(connection);
    return connection;
  }

  /** The connections that are being made are open now. */
  connect(): void {
    this.connections.push(...this.connecting);
    this.connecting.clear();
  }

  /** Seconds in which all connections with bulk lose this share of their segments. */
  seconds(count: number, lossShare = 0): void {
    for (let n = 0; n < count; n++) {
      for (const connection of this.connections) if (connection.bulk > 0) connection.send(lossShare);
      this.network.advance(1000);
    }
  }

  end(connection: Connection): void {
    this.connections.splice(this.connections.indexOf(connection), 1);
    this.spread.removed(connection);
  }

  /** Opens `count` streams at the same moment, and returns how many each connection got. */
  place(count: number, what: "bulk" | "others"): number[] {
    const before = this.connections.map(({ streamCount }) => streamCount);
    for (let n = 0; n < count; n++) this.spread.choose(this.connections)![what]++;
    return this.connections.map(({ streamCount }, at) => streamCount - before[at]!);
  }
}

Deno.test("spread: without bulk the first connection is chosen, and none is added", () => {
  const bed = new Bed();
  bed.open("b");
  assert.deepEqual(bed.place(5, "others"), [5, 0]);
  bed.spread.noteBulk();
  bed.seconds(60);
  assert.deepEqual(bed.place(5, "others"), [5, 0]);
  assert.equal(bed.made, 0);
});

Deno.test("spread: bulk for two seconds adds one connection, which new streams get", () => {
  const bed = new Bed();
  bed.place(1, "bulk");
  bed.spread.noteBulk();
  bed.seconds(1);
  assert.equal(bed.made, 0);
  bed.seconds(1);
  assert.equal(bed.made, 1);
  bed.seconds(5);
  assert.equal(bed.made, 1, "the one that is being made is enough");
  assert.deepEqual(bed.place(1, "others"), [1], "no stream waits for it");
  bed.connect();
  assert.deepEqual(bed.place(3, "others"), [0, 3]);
  bed.seconds(60);
  assert.deepEqual(bed.place(3, "others"), [0, 3]);
  assert.equal(bed.made, 1);
});

Deno.test("spread: where every connection has bulk, one more is added, nine in all", () => {
  const bed = new Bed();
  bed.spread.noteBulk();
  for (let n = 0; n < 20; n++) {
    bed.place(1, "bulk");
    bed.spread.noteBulk();
    bed.seconds(3);
    bed.connect();
  }
  assert.equal(bed.connections.length, 9);
  assert.deepEqual(bed.connections.map(({ bulk }) => bulk), [3, 3, 2, 2, 2, 2, 2, 2, 2]);
});

Deno.test("spread: a path with losses gets a connection for each bulk stream and one for others", () => {
  const bed = new Bed();
  bed.place(4, "bulk");
  bed.spread.noteBulk();
  bed.seconds(1, 0.01);
  assert.equal(bed.made, 0);
  bed.seconds(1, 0.01);
  assert.ok(bed.spread.isLossy);
  assert.equal(bed.made, 4);
  bed.connect();
  bed.connections[0]!.bulk = 0;
  bed.seconds(1);
  assert.deepEqual(bed.place(5, "bulk"), [1, 1, 1, 1, 1], "the next streams, opened at the same moment");
  bed.seconds(2, 0.01);
  assert.equal(bed.made, 5);
  bed.connect();
  assert.deepEqual(bed.place(4, "others"), [0, 0, 0, 0, 0, 4]);
});

Deno.test("spread: streams that have ended since the last check do not count", () => {
  const bed = new Bed();
  bed.place(2, "bulk");
  bed.spread.noteBulk();
  bed.seconds(3, 0.01);
  bed.connect();
  bed.place(2, "bulk");
  bed.seconds(1, 0.01);
  assert.deepEqual(bed.connections.map(({ bulk }) => bulk), [2, 1, 1]);
  for (const connection of bed.connections) connection.bulk = 0;
  assert.deepEqual(bed.place(6, "bulk"), [2, 2, 2]);
});

Deno.test("spread: bulk streams that open together do not all get the only connection without bulk", () => {
  const bed = new Bed();
  bed.connections[0]!.bulk = 1;
  bed.open("b");
  bed.spread.noteBulk();
  bed.seconds(2);
  assert.deepEqual(bed.place(20, "others"), [6, 14]);
});

Deno.test("spread: a path counts as lossy for five minutes after the last losses", () => {
  const bed = new Bed();
  bed.place(2, "bulk");
  bed.spread.noteBulk();
  bed.seconds(3, 0.01);
  bed.connect();
  bed.connections[0]!.bulk = 0;
  bed.seconds(299);
  assert.ok(bed.spread.isLossy);
  bed.seconds(1);
  assert.ok(!bed.spread.isLossy);
  assert.deepEqual(bed.place(2, "others"), [2, 0, 0]);
});

Deno.test("spread: a connection that takes no streams is not one for other streams", () => {
  const bed = new Bed();
  bed.place(1, "bulk");
  bed.open("draining").canOpen = false;
  bed.spread.noteBulk();
  bed.seconds(2);
  assert.equal(bed.made, 1);
});

Deno.test("spread: after a failed connection none is added for a minute", () => {
  const bed = new Bed();
  bed.place(1, "bulk");
  bed.spread.noteBulk();
  bed.seconds(2);
  const [failed] = bed.connecting;
  bed.connecting.clear();
  bed.spread.pause();
  bed.spread.removed(failed!);
  bed.seconds(59);
  assert.equal(bed.made, 1);
  bed.seconds(1);
  assert.equal(bed.made, 2);
});

Deno.test("spread: all destinations together add no more than the bound; ended connections make room", () => {
  const extra = new ExtraConnections(1);
  const [one, two] = [new Bed(extra), new Bed(extra)];
  for (const bed of [one, two]) {
    bed.place(1, "bulk");
    bed.spread.noteBulk();
    bed.seconds(2);
    bed.connect();
  }
  assert.deepEqual([one.made, two.made], [1, 0]);
  one.end(one.connections[1]!);
  one.spread.removed(one.connections[0]!);
  two.seconds(1);
  assert.equal(two.made, 1);
  two.spread.close();
  two.connecting.clear();
  one.seconds(1);
  assert.equal(one.made, 2);
  assert.ok(!extra.take());
});

Deno.test("spread: after close nothing is checked and no connection is added", () => {
  const bed = new Bed();
  bed.place(1, "bulk");
  bed.spread.noteBulk();
  bed.spread.close();
  bed.spread.noteBulk();
  bed.seconds(10);
  assert.equal(bed.made, 0);
});
