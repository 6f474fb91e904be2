import { strict as assert } from "node:assert";
import * as fc from "../../testkit/repeatable.ts";
import { MOST_DATA } from "./record_limits.ts";
import { type ReceivingEnd, RecordReceiver } from "./record_receiver.ts";
import {
  ALERT,
  CLOSE_NOTIFY,
  DATA,
  HANDSHAKE,
  joined,
  RecordEnds,
  REQUEST,
  TICKET,
  UPDATE,
} from "./testkit/record_ends.ts";
import { Alert } from "./tls_alerts.ts";

const NO_LIMIT = 1_000_000;

/** A receiver with the bytes that its peer has sent and it has not taken. */
class Reader implements Disposable {
  readonly receiver: RecordReceiver;
  now = 0;
  #wire: Uint8Array = new Uint8Array(0);

  constructor(readonly ends: RecordEnds, role: "client" | "server" = "client", recordsPerKey?: number) {
    this.receiver = new RecordReceiver(ends.cipher("receive"), role, new Uint8Array(20_000), recordsPerKey);
  }

  /** Returns the data of all records, read in pieces of at most `room` bytes. */
  read(wire: Uint8Array, room = 20_000, limit = NO_LIMIT): Uint8Array {
    const parts: Uint8Array[] = [];
    this.#wire = joined(this.#wire, wire);
    for (;;) {
      const into = new Uint8Array(room);
      if (this.receiver.hasRest) parts.push(into.slice(0, this.receiver.takeRest(into)));
      const count = this.receiver.open(this.#wire, 0, this.#wire.length, into, limit, this.now);
      parts.push(into.slice(0, count));
      this.#wire = this.#wire.slice(this.receiver.at);
      if (!this.receiver.hasRest && !this.receiver.stopped) return joined(...parts);
    }
  }

  get end(): ReceivingEnd | null {
    return this.receiver.end;
  }

  [Symbol.dispose](): void {
    this.receiver.free();
  }
}

const bytes = (count: number) => new Uint8Array(count).map((_, i) => i * 31 + (i >> 8));

Deno.test("record receiver: data of whole records, of parts of records, and with padding", () => {
  using ends = new RecordEnds();
  using reader = new Reader(ends);
  const wire = joined(ends.sealed(DATA, bytes(100)), ends.sealed(DATA, bytes(50), 300), ends.sealed(DATA, bytes(0)));
  const parts = Array.from(wire, (byte) => reader.read(Uint8Array.of(byte)));
  assert.deepEqual(joined(...parts), joined(bytes(100), bytes(50)));
  assert.equal(reader.end, null);
});

Deno.test("record receiver: the largest record, with and without padding, into memory of any size", () => {
  for (const room of [1, 7, 16_383, 16_384, 16_385, 20_000]) {
    using ends = new RecordEnds();
    using reader = new Reader(ends);
    const wire = joined(
      ends.sealed(DATA, bytes(MOST_DATA)),
      ends.sealed(DATA, bytes(MOST_DATA - 1), 1),
      ends.sealed(DATA, bytes(3)),
    );
    const all = joined(bytes(MOST_DATA), bytes(MOST_DATA - 1), bytes(3));
    assert.deepEqual(reader.read(wire, room), all, `room ${room}`);
  }
});

Deno.test("record receiver: no memory at all loses no data", () => {
  using ends = new RecordEnds();
  using reader = new Reader(ends);
  const wire = joined(ends.sealed(DATA, bytes(5)), ends.sealed(DATA, bytes(6)));
  assert.equal(reader.receiver.open(wire, 0, wire.length, new Uint8Array(0), NO_LIMIT, 0), 0);
  assert.deepEqual(reader.read(wire.slice(reader.receiver.at)), joined(bytes(5), bytes(6)));
});

Deno.test("record receiver: it stops at the limit of records and continues there", () => {
  using ends = new RecordEnds();
  using reader = new Reader(ends);
  const wire = joined(...Array.from({ length: 10 }, () => ends.sealed(DATA, bytes(1))));
  const into = new Uint8Array(100);
  assert.equal(reader.receiver.open(wire, 0, wire.length, into, 4, 0), 4);
  assert.equal(reader.receiver.stopped, true);
  assert.equal(reader.receiver.open(wire, reader.receiver.at, wire.length, into, 100, 0), 6);
  assert.equal(reader.receiver.stopped, false);
});

Deno.test("record receiver: close_notify ends it, and nothing behind it is looked at", () => {
  using ends = new RecordEnds();
  using reader = new Reader(ends);
  const wire = joined(ends.sealed(DATA, bytes(10)), ends.sealed(ALERT, CLOSE_NOTIFY));
  const after = joined(ends.sealed(DATA, bytes(20)), Uint8Array.of(1, 2, 3, 4, 5, 6));
  assert.deepEqual(reader.read(joined(wire, after)), bytes(10));
  assert.deepEqual(reader.end, { kind: "close_notify" });
  assert.equal(reader.receiver.at, wire.length);
  assert.equal(reader.read(after).length, 0);
  assert.deepEqual(reader.end, { kind: "close_notify" });
});

Deno.test("record receiver: the peer's alert ends it, whatever its level; user_canceled does not", () => {
  for (const [level, number] of [[2, 20], [1, 20], [2, 255], [1, 100]] as const) {
    using ends = new RecordEnds();
    using reader = new Reader(ends);
    const wire = joined(ends.sealed(ALERT, Uint8Array.of(1, Alert.USER_CANCELED)), ends.sealed(DATA, bytes(1)));
    assert.equal(reader.read(wire).length, 1);
    assert.equal(
      reader.read(joined(ends.sealed(ALERT, Uint8Array.of(level, number)), ends.sealed(DATA, bytes(9)))).length,
      0,
    );
    assert.deepEqual(reader.end, { kind: "failed", failure: { kind: "alert", number }, alert: null });
  }
});

Deno.test("record receiver: key updates change the key of the records behind them", () => {
  using ends = new RecordEnds();
  using reader = new Reader(ends);
  for (let i = 0; i < 3; i++) {
    const wire = joined(ends.sealed(DATA, bytes(5)), ends.sealed(HANDSHAKE, i === 1 ? REQUEST : UPDATE));
    assert.equal(reader.read(wire).length, 5);
    assert.equal(reader.receiver.takeOwed(), i === 1 ? "update" : "nothing");
    assert.equal(reader.receiver.takeOwed(), "nothing");
    ends.updateKey();
  }
  assert.equal(reader.read(ends.sealed(DATA, bytes(6))).length, 6);
});

Deno.test("record receiver: a record with the old key behind a key update is not authentic", () => {
  using ends = new RecordEnds();
  using reader = new Reader(ends);
  reader.read(joined(ends.sealed(HANDSHAKE, UPDATE), ends.sealed(DATA, bytes(5))));
  assertFailed(reader, Alert.BAD_RECORD_MAC);
});

Deno.test("record receiver: a peer that keeps its key for too long is asked for a new one, once for each key", () => {
  using ends = new RecordEnds();
  using reader = new Reader(ends, "client", 10);
  const owed = () => {
    reader.read(ends.sealed(DATA, bytes(1)));
    return reader.receiver.takeOwed();
  };
  const expected = [...Array(9).fill("nothing"), "request", "nothing", "nothing"];
  assert.deepEqual(Array.from({ length: 12 }, owed), expected);
  reader.read(ends.sealed(HANDSHAKE, UPDATE));
  ends.updateKey();
  assert.deepEqual(Array.from({ length: 12 }, owed), expected);
});

Deno.test("record receiver: tickets are skipped, also those that are longer than a record", () => {
  using ends = new RecordEnds();
  using reader = new Reader(ends);
  const long = joined(Uint8Array.of(4, 1, 0, 0), bytes(65_536));
  const short = ends.sealed(HANDSHAKE, joined(TICKET, TICKET));
  const parts = Array.from({ length: 5 }, (_, i) => ends.sealed(HANDSHAKE, long.slice(i * 16_000, (i + 1) * 16_000)));
  assert.equal(reader.read(joined(short, ...parts, ends.sealed(DATA, bytes(7)))).length, 7);
});

Deno.test("record receiver: messages beyond the budget are a flood, data between them or not", () => {
  for (const [type, content] of [[HANDSHAKE, UPDATE], [ALERT, Uint8Array.of(1, 90)], [HANDSHAKE, TICKET]] as const) {
    using ends = new RecordEnds();
    using reader = new Reader(ends);
    let sent = 0;
    while (reader.end === null && sent < 1000) {
      reader.read(ends.sealed(type, content));
      if (content === UPDATE) ends.updateKey();
      reader.read(ends.sealed(DATA, bytes(1)));
      sent++;
    }
    assert.equal(sent, 65);
    assert.equal(reader.end?.kind === "failed" && reader.end.failure.kind, "flood");
  }
});

function assertFailed(reader: Reader, alert: number): void {
  const { end } = reader;
  assert.ok(end?.kind === "failed", JSON.stringify(end));
  assert.equal(end.failure.kind, "protocol");
  assert.equal(end.alert, alert);
}

const head = (...values: number[]) => Uint8Array.from(values);
const tooLong = (ends: RecordEnds) => ends.sealed(DATA, bytes(MOST_DATA + 1));
/** What the peer sends after ten bytes of data, and the alert that it gets. */
const violations: readonly [what: string, wire: (ends: RecordEnds) => Uint8Array, alert: number][] = [
  ["a record in the clear", () => head(22, 3, 3, 0, 1), Alert.UNEXPECTED_MESSAGE],
  ["an alert in the clear", () => head(21, 3, 3, 0, 2, 2, 40), Alert.UNEXPECTED_MESSAGE],
  ["change_cipher_spec", () => head(20, 3, 3, 0, 1, 1), Alert.UNEXPECTED_MESSAGE],
  ["HTTP", () => new TextEncoder().encode("GET / HTTP/1.1\r\n"), Alert.UNEXPECTED_MESSAGE],
  ["another version in a header", () => head(23, 3, 1, 0, 30), Alert.DECODE_ERROR],
  ["the header of a record of 2^14 + 257 bytes", () => head(23, 3, 3, 0x41, 1), Alert.RECORD_OVERFLOW],
  ["a record that has no room for a tag", () => head(23, 3, 3, 0, 15, ...bytes(15)), Alert.BAD_RECORD_MAC],
  ["data of 2^14 + 1 bytes", tooLong, Alert.RECORD_OVERFLOW],
  ["padding beyond 2^14 + 1 bytes", (ends) => ends.sealed(DATA, bytes(MOST_DATA), 1), Alert.RECORD_OVERFLOW],
  ["a record without a content type", (ends) => ends.sealed(0, bytes(0), 5), Alert.UNEXPECTED_MESSAGE],
  ["the content type change_cipher_spec", (ends) => ends.sealed(20, head(1)), Alert.UNEXPECTED_MESSAGE],
  ["the content type heartbeat", (ends) => ends.sealed(24, bytes(3)), Alert.UNEXPECTED_MESSAGE],
  ["an alert of one byte", (ends) => ends.sealed(ALERT, head(1)), Alert.DECODE_ERROR],
  ["an empty alert", (ends) => ends.sealed(ALERT, head()), Alert.DECODE_ERROR],
  ["two alerts in a record", (ends) => ends.sealed(ALERT, head(1, 90, 1, 0)), Alert.DECODE_ERROR],
  ["an empty handshake record", (ends) => ends.sealed(HANDSHAKE, head()), Alert.UNEXPECTED_MESSAGE],
  ["another handshake", (ends) => ends.sealed(HANDSHAKE, head(2, 0, 0, 0)), Alert.UNEXPECTED_MESSAGE],
  [
    "data within a message",
    (ends) => joined(ends.sealed(HANDSHAKE, TICKET.slice(0, 6)), ends.sealed(DATA, bytes(3))),
    Alert.UNEXPECTED_MESSAGE,
  ],
  [
    "close_notify within a message",
    (ends) => joined(ends.sealed(HANDSHAKE, UPDATE.slice(0, 4)), ends.sealed(ALERT, CLOSE_NOTIFY)),
    Alert.UNEXPECTED_MESSAGE,
  ],
  ["a record twice", (ends) => {
    const record = ends.sealed(DATA, head());
    return joined(record, record);
  }, Alert.BAD_RECORD_MAC],
  ["records in another order", (ends) => {
    const first = ends.sealed(DATA, bytes(4));
    return joined(ends.sealed(DATA, bytes(4)), first);
  }, Alert.BAD_RECORD_MAC],
  ["a record without the one before it", (ends) => {
    ends.sealed(DATA, bytes(4));
    return ends.sealed(DATA, bytes(4));
  }, Alert.BAD_RECORD_MAC],
];
for (const [what, bad, alert] of violations) {
  Deno.test(`record receiver: the alert for ${what}; the data before it is kept, and nothing after it is read`, () => {
    using ends = new RecordEnds();
    using reader = new Reader(ends);
    const wire = joined(ends.sealed(DATA, bytes(10)), bad(ends), ends.sealed(DATA, bytes(20)));
    assert.deepEqual(reader.read(wire), bytes(10));
    assertFailed(reader, alert);
    assert.equal(reader.read(ends.sealed(DATA, bytes(3))).length, 0);
    assertFailed(reader, alert);
  });
}

Deno.test("record receiver: data before a record that is not authentic is returned, of this record no byte is left", () => {
  using ends = new RecordEnds();
  using reader = new Reader(ends);
  const good = ends.sealed(DATA, bytes(10)), bad = ends.sealed(DATA, bytes(50));
  bad[20]! ^= 1;
  const wire = joined(good, bad), into = new Uint8Array(200).fill(0xaa);
  assert.equal(reader.receiver.open(wire, 0, wire.length, into, NO_LIMIT, 0), 10);
  assert.deepEqual(into.slice(0, 61), joined(bytes(10), new Uint8Array(51)));
  assertFailed(reader, Alert.BAD_RECORD_MAC);
});

Deno.test("record receiver: any division of the stream and any memory give the same data", () => {
  const content = fc.oneof(fc.nat(40), fc.constant(MOST_DATA), fc.integer({ min: 16_000, max: MOST_DATA }));
  const record = fc.record({ size: content, padding: fc.constantFrom(0, 0, 1, 200) });
  const records = fc.array(record, { minLength: 1, maxLength: 8 });
  const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 10 });
  const rooms = fc.constantFrom(1000, 16_384, 20_000, 100_000);
  fc.assert(
    fc.property(records, cuts, rooms, fc.integer({ min: 1, max: 5 }), (all, places, room, limit) => {
      using ends = new RecordEnds();
      using reader = new Reader(ends);
      const data = all.map(({ size, padding }) => bytes(Math.min(size, MOST_DATA - padding)));
      const wire = joined(...data.map((part, i) => ends.sealed(DATA, part, all[i]!.padding)));
      const points = [0, ...places.map((place) => Math.floor(place * wire.length)).sort((a, b) => a - b), wire.length];
      const parts = points.slice(1).map((point, i) => reader.read(wire.slice(points[i], point), room, limit));
      assert.deepEqual(joined(...parts).toHex(), joined(...data).toHex());
      assert.equal(reader.end, null);
    }),
    { numRuns: 40 },
  );
});
