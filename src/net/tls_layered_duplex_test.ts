import { strict as assert } from "node:assert";
import { FAILED } from "./duplex.ts";
import { LayeredRig, UNIT } from "./testkit/layered_records.ts";
import { seededChunks } from "./testkit/memory_duplex.ts";
import { ALERT, CLOSE_NOTIFY, DATA, HANDSHAKE, joined, REQUEST, TICKET, UPDATE } from "./testkit/record_ends.ts";
import { Alert } from "./tls_alerts.ts";

const bytes = (count: number) => new Uint8Array(count).map((_, i) => i * 31 + (i >> 8));
const LARGE = 1_000_000;

Deno.test("TLS over a stream: records that are divided at any byte are read", () => {
  for (let at = 0; at <= 100; at++) {
    using rig = new LayeredRig();
    const wire = joined(...[5, 0, 1, 30].map((size) => rig.ends.sealed(DATA, bytes(size))));
    assert.ok(wire.length > 100);
    rig.send(wire.subarray(0, at));
    rig.send(wire.subarray(at));
    assert.deepEqual(rig.user.data, joined(bytes(5), bytes(1), bytes(30)), `divided at ${at}`);
  }
});

Deno.test("TLS over a stream: one read takes all records that are there", () => {
  using rig = new LayeredRig({ bufferBytes: LARGE });
  rig.send(...Array.from({ length: 15 }, () => rig.ends.sealed(DATA, bytes(16_384))));
  assert.deepEqual(rig.user.counts, [15 * 16_384]);
});

Deno.test("TLS over a stream: megabytes pass in both directions through small buffers and reads of any size", () => {
  using rig = new LayeredRig({ bufferBytes: 20_000, chunking: seededChunks(5) });
  const data = bytes(LARGE);
  let sent = 0;
  for (let at = 0; at < LARGE; at += 16_384) {
    rig.send(rig.ends.sealed(DATA, data.subarray(at, at + 16_384)));
    sent += rig.duplex.write(data.subarray(sent));
    rig.drain();
  }
  while (sent < LARGE) {
    sent += rig.duplex.write(data.subarray(sent));
    rig.drain();
  }
  assert.equal(rig.user.data.toHex(), data.toHex());
  assert.equal(joined(...rig.records().map(({ content }) => content)).toHex(), data.toHex());
});

Deno.test("TLS over a stream: what the handshake has left is read and sent first", () => {
  using other = new LayeredRig();
  const received = joined(other.ends.sealed(HANDSHAKE, TICKET), other.ends.sealed(DATA, bytes(9)));
  const next = other.ends.sealed(DATA, bytes(10));
  const unsent = Uint8Array.of(1, 2, 3);
  using rig = new LayeredRig({ received: joined(received, next.subarray(0, 7)), unsent, bufferBytes: 500 });
  rig.send(next.subarray(7));
  assert.deepEqual(rig.user.data, joined(bytes(9), bytes(10)));
  const into = new Uint8Array(3);
  assert.equal(rig.far.read(into), 3);
  assert.deepEqual(into, unsent);
  assert.equal(rig.duplex.write(bytes(100)), 100);
  assert.deepEqual(rig.records(), [{ type: DATA, content: bytes(100) }]);
});

Deno.test("TLS over a stream: keys of both directions are replaced", () => {
  using rig = new LayeredRig();
  rig.send(rig.ends.sealed(DATA, bytes(1)), rig.ends.sealed(HANDSHAKE, REQUEST));
  rig.ends.updateKey();
  rig.send(rig.ends.sealed(DATA, bytes(2)));
  assert.deepEqual(rig.user.data, joined(bytes(1), bytes(2)));
  rig.duplex.write(bytes(3));
  assert.deepEqual(rig.records(), [{ type: HANDSHAKE, content: UPDATE }, { type: DATA, content: bytes(3) }]);
});

Deno.test("TLS over a stream: close_notify is the end of one direction, and the stream below ends with the other", () => {
  using rig = new LayeredRig();
  rig.send(rig.ends.sealed(DATA, bytes(4)), rig.ends.sealed(ALERT, CLOSE_NOTIFY), rig.ends.sealed(DATA, bytes(4)));
  assert.deepEqual(rig.user.data, bytes(4));
  assert.equal(rig.duplex.ended, true);
  assert.equal(rig.duplex.write(bytes(5)), 5);
  rig.duplex.end();
  assert.deepEqual(rig.records(), [{ type: DATA, content: bytes(5) }, { type: ALERT, content: CLOSE_NOTIFY }]);
  assert.equal(rig.far.ended, true);
  assert.equal(rig.duplex.write(bytes(5)), FAILED);
});

Deno.test("TLS over a stream: an end without close_notify, also within a record, is a failure", () => {
  for (const cut of [0, 3, 20]) {
    using rig = new LayeredRig();
    rig.send(rig.ends.sealed(DATA, bytes(6)), rig.ends.sealed(DATA, bytes(6)).subarray(0, cut));
    rig.far.end();
    rig.network.runUntilIdle();
    assert.deepEqual(rig.user.data, bytes(6));
    assert.equal(rig.user.failure?.code, "TLS_EOF");
  }
});

Deno.test("TLS over a stream: an alert and a reset of the peer are failures behind the data before them", () => {
  for (const code of ["TLS_ALERT", "ECONNRESET"]) {
    using rig = new LayeredRig();
    rig.send(rig.ends.sealed(DATA, bytes(7)));
    if (code === "TLS_ALERT") rig.send(rig.ends.sealed(ALERT, Uint8Array.of(2, 40)));
    if (code === "ECONNRESET") rig.far.close(true);
    rig.network.runUntilIdle();
    assert.deepEqual(rig.user.data, bytes(7));
    assert.equal(rig.user.failure?.code, code);
    assert.equal(rig.duplex.write(bytes(1)), FAILED);
    assert.deepEqual(rig.records(), []);
  }
});

Deno.test("TLS over a stream: violations are answered by their alerts", () => {
  const cases = [
    [Uint8Array.of(23, 3, 3, 0x41, 1), Alert.RECORD_OVERFLOW],
    [Uint8Array.of(22, 3, 3, 0, 1), Alert.UNEXPECTED_MESSAGE],
    [Uint8Array.of(23, 3, 3, 0, 20, ...new Uint8Array(20)), Alert.BAD_RECORD_MAC],
  ] as const;
  for (const [wire, alert] of cases) {
    using rig = new LayeredRig();
    rig.send(rig.ends.sealed(DATA, bytes(8)), wire);
    assert.deepEqual(rig.user.data, bytes(8));
    assert.equal(rig.user.failure?.code, "TLS");
    assert.deepEqual(rig.records(), [{ type: ALERT, content: Uint8Array.of(2, alert) }]);
  }
});

Deno.test("TLS over a stream: records without data end it, after few bytes", () => {
  using rig = new LayeredRig({ bufferBytes: LARGE });
  const empty = joined(...Array.from({ length: 10_000 }, () => rig.ends.sealed(DATA, new Uint8Array(0))));
  rig.send(empty);
  assert.equal(rig.user.failure?.code, "TLS_FLOOD");
});

Deno.test("TLS over a stream: of what a peer does not read at most one unit is kept", () => {
  using rig = new LayeredRig({ bufferBytes: 1000 });
  const data = bytes(LARGE);
  let taken = rig.duplex.write(data);
  assert.ok(taken > 0 && taken <= UNIT, `${taken} bytes were taken`);
  assert.equal(rig.duplex.write(data.subarray(taken)), 0);
  assert.equal(rig.user.writable, 0);
  rig.drain();
  assert.equal(rig.user.writable, 1);
  while (taken < LARGE) {
    taken += rig.duplex.write(data.subarray(taken));
    rig.drain();
  }
  assert.equal(joined(...rig.records().map(({ content }) => content)).toHex(), data.toHex());
});

Deno.test("TLS over a stream: a closed one sends what it has taken, for ten seconds", () => {
  for (const isRead of [true, false]) {
    using rig = new LayeredRig({ bufferBytes: 1000 });
    const taken = rig.duplex.write(bytes(LARGE));
    rig.duplex.close();
    rig.network.advance(9_999);
    const isClosed = () => rig.near.failure?.code === "CLOSED";
    assert.equal(isClosed(), false);
    if (isRead) {
      const records = rig.records();
      assert.deepEqual(records.at(-1), { type: ALERT, content: CLOSE_NOTIFY });
      assert.equal(joined(...records.slice(0, -1).map(({ content }) => content)).length, taken);
    } else rig.network.advance(1);
    assert.equal(isClosed(), true);
    assert.equal(rig.user.failure, null);
  }
});
