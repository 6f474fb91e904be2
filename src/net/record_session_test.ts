import { strict as assert } from "node:assert";
import { RecordBuffers } from "./record_buffers.ts";
import { SocketCarrier } from "./record_carrier.ts";
import { RecordSession } from "./record_session.ts";
import { ALERT, CLOSE_NOTIFY, DATA, HANDSHAKE, joined, RecordEnds, REQUEST, UPDATE } from "./testkit/record_ends.ts";
import { SocketPair } from "./testkit/socket_pair.ts";
import { Alert } from "./tls_alerts.ts";

const UNIT = 65_160;
const bytes = (count: number) => new Uint8Array(count).map((_, i) => i * 31 + (i >> 8));

/** A session, and its peer with the same secret in both directions. */
class Rig implements Disposable {
  readonly ends = new RecordEnds();
  readonly sockets: SocketPair;
  readonly session: RecordSession;
  readonly #received: Uint8Array[] = [];

  /** `early`: makes the bytes that were received with the handshake. */
  constructor(isSmall = false, early: (ends: RecordEnds) => Uint8Array = () => new Uint8Array(0)) {
    this.sockets = new SocketPair(isSmall);
    const carrier = new SocketCarrier(this.sockets.near);
    const rest = { received: early(this.ends), unsent: new Uint8Array(0) };
    const ciphers = { send: this.ends.cipher("send"), receive: this.ends.cipher("receive") };
    this.session = new RecordSession(carrier, ciphers, "server", UNIT, new RecordBuffers(), rest);
  }

  /** Reads until the socket is empty or the session has ended. Null: it has failed. */
  read(room = 262_144, mayStop = true): Uint8Array | null {
    const parts: Uint8Array[] = [];
    for (;;) {
      const into = new Uint8Array(room), count = this.session.read(into, 0, mayStop);
      if (count < 0) return parts.length === 0 ? null : joined(...parts);
      if (count > 0) parts.push(into.slice(0, count));
      if (this.session.remainder !== "more") return joined(...parts);
    }
  }

  /** Takes what the session has sent, until it is flushed. */
  drain(): void {
    for (let rounds = 0; rounds < 10_000; rounds++) {
      this.#received.push(this.sockets.received() ?? new Uint8Array(0));
      if (this.session.flush()) break;
    }
    this.#received.push(this.sockets.received() ?? new Uint8Array(0));
  }

  /** The records that the session has sent since the start. */
  records(): { readonly type: number; readonly content: Uint8Array }[] {
    this.drain();
    return this.ends.opened(joined(...this.#received));
  }

  [Symbol.dispose](): void {
    this.session.free();
    this.ends[Symbol.dispose]();
    this.sockets[Symbol.dispose]();
  }
}

Deno.test("record session: data in both directions, in records of any size and reads of any size", () => {
  for (const room of [1000, 16_384, 262_144]) {
    using rig = new Rig();
    for (const size of [1, 100, 16_384, 5000, 16_384, 16_384, 3]) {
      rig.sockets.send(rig.ends.sealed(DATA, bytes(size)));
      assert.deepEqual(rig.read(room), bytes(size));
      assert.equal(rig.session.write(bytes(size)), size);
      assert.equal(rig.session.isFlushed, true);
    }
    const contents = rig.records().map(({ content }) => content);
    assert.equal(joined(...contents).length, 1 + 100 + 5000 + 3 + 3 * 16_384);
  }
});

Deno.test("record session: many records in one read, and the rest of one in the next", () => {
  using rig = new Rig();
  const wire = joined(...Array.from({ length: 12 }, () => rig.ends.sealed(DATA, bytes(5000))));
  rig.sockets.send(wire.slice(0, 12_000));
  assert.deepEqual(rig.read(), joined(bytes(5000), bytes(5000)));
  assert.equal(rig.session.wireBytes, 2 * 5022);
  rig.sockets.send(wire.slice(12_000));
  assert.equal(rig.read()?.length, 50_000);
});

Deno.test("record session: what was received with the handshake comes before what the socket has", () => {
  let wire: Uint8Array = new Uint8Array(0);
  using rig = new Rig(false, (ends) => {
    wire = joined(ends.sealed(DATA, bytes(10)), ends.sealed(DATA, bytes(3000)));
    return wire.slice(0, 100);
  });
  assert.deepEqual(rig.read(), bytes(10));
  rig.sockets.send(wire.slice(100));
  assert.deepEqual(rig.read(), bytes(3000));
});

Deno.test("record session: part of a record that was received with the handshake is completed from the socket", () => {
  let wire: Uint8Array = new Uint8Array(0);
  using rig = new Rig(false, (ends) => (wire = ends.sealed(DATA, bytes(3000))).slice(0, 100));
  rig.sockets.send(wire.slice(100));
  assert.deepEqual(rig.read(), bytes(3000));
});

Deno.test("record session: small records are opened in portions, without another read of the socket between them", () => {
  using rig = new Rig();
  rig.sockets.send(joined(...Array.from({ length: 1000 }, () => rig.ends.sealed(DATA, bytes(1)))));
  const counts: number[] = [], into = new Uint8Array(262_144);
  for (;;) {
    counts.push(rig.session.read(into, 0, true));
    if (rig.session.remainder === "nothing") break;
  }
  assert.deepEqual(counts.filter((count) => count > 0), [256, 256, 256, 232]);
});

Deno.test("record session: where a short read proves nothing, the socket is read until it is empty", () => {
  using rig = new Rig();
  rig.sockets.send(rig.ends.sealed(DATA, bytes(10)));
  assert.equal(rig.session.read(new Uint8Array(100), 0, false), 10);
  assert.equal(rig.session.remainder, "more");
  assert.equal(rig.session.read(new Uint8Array(100), 0, false), 0);
  assert.equal(rig.session.remainder, "nothing");
});

Deno.test("record session: close_notify is the end, and bytes behind it are never returned", () => {
  using rig = new Rig();
  rig.sockets.send(joined(rig.ends.sealed(DATA, bytes(10)), rig.ends.sealed(ALERT, CLOSE_NOTIFY)));
  rig.sockets.send(rig.ends.sealed(DATA, bytes(20)));
  assert.deepEqual(rig.read(), bytes(10));
  for (let i = 0; i < 3; i++) {
    assert.equal(rig.read()?.length, 0);
    assert.equal(rig.session.remainder, "end");
  }
  assert.equal(rig.session.failure, null);
  // Our direction is still open.
  assert.equal(rig.session.write(bytes(5)), 5);
  assert.deepEqual(rig.records(), [{ type: DATA, content: bytes(5) }]);
});

Deno.test("record session: an end without close_notify, or within a record, is a failure", () => {
  for (const cut of [0, 3, 20]) {
    using rig = new Rig();
    rig.sockets.send(joined(rig.ends.sealed(DATA, bytes(10)), rig.ends.sealed(DATA, bytes(10)).slice(0, cut)));
    rig.sockets.close(rig.sockets.far);
    assert.deepEqual(rig.read(1000, false), bytes(10));
    assert.equal(rig.read(1000, false), null);
    assert.deepEqual(rig.session.failure, { kind: "eof" });
  }
});

Deno.test("record session: a violation is answered by its alert, which is the last record", () => {
  using rig = new Rig();
  const good = rig.ends.sealed(DATA, bytes(10)), bad = rig.ends.sealed(DATA, bytes(10));
  bad[10]! ^= 1;
  rig.sockets.send(joined(good, bad, rig.ends.sealed(DATA, bytes(10))));
  assert.equal(rig.session.read(new Uint8Array(100), 0, true), 10);
  assert.equal(rig.session.write(bytes(10)), -1);
  assert.equal(rig.read(), null);
  assert.equal(rig.session.failure?.kind, "protocol");
  assert.equal(rig.session.write(bytes(10)), -1);
  rig.session.sendCloseNotify();
  assert.deepEqual(rig.records(), [{ type: ALERT, content: Uint8Array.of(2, Alert.BAD_RECORD_MAC) }]);
});

Deno.test("record session: after close_notify nothing is sent, data, key updates and alerts included", () => {
  using rig = new Rig();
  assert.equal(rig.session.sendCloseNotify(), true);
  assert.equal(rig.session.sendCloseNotify(), true);
  rig.sockets.send(rig.ends.sealed(HANDSHAKE, REQUEST));
  rig.ends.updateKey();
  rig.sockets.send(joined(rig.ends.sealed(DATA, bytes(9)), Uint8Array.of(22, 3, 3, 0, 1)));
  assert.deepEqual(rig.read(), bytes(9));
  assert.equal(rig.read(), null);
  assert.equal(rig.session.write(bytes(10)), -1);
  assert.deepEqual(rig.records(), [{ type: ALERT, content: CLOSE_NOTIFY }]);
});

Deno.test("record session: a write behind close_notify fails", () => {
  using rig = new Rig();
  rig.session.sendCloseNotify();
  assert.equal(rig.session.write(bytes(10)), -1);
  assert.equal(rig.session.failure?.kind, "internal");
  assert.deepEqual(rig.records(), [{ type: ALERT, content: CLOSE_NOTIFY }]);
});

Deno.test("record session: a requested key update goes before our next data", () => {
  using rig = new Rig();
  rig.sockets.send(joined(rig.ends.sealed(DATA, bytes(1)), rig.ends.sealed(HANDSHAKE, REQUEST)));
  assert.equal(rig.read()?.length, 1);
  assert.deepEqual(rig.sockets.received(), new Uint8Array(0));
  rig.session.write(bytes(3));
  rig.session.write(bytes(4));
  assert.deepEqual(rig.records(), [
    { type: HANDSHAKE, content: UPDATE },
    { type: DATA, content: bytes(3) },
    { type: DATA, content: bytes(4) },
  ]);
});

Deno.test("record session: what a full socket does not take is sent later, in order, and close_notify behind it", () => {
  using rig = new Rig(true);
  const data = bytes(2_000_000);
  let at = rig.session.write(data);
  assert.ok(at > 0 && at < data.length);
  assert.equal(rig.session.isFlushed, false);
  assert.equal(rig.session.write(data.subarray(at)), 0);
  for (let rounds = 0; at < data.length && rounds < 100_000; rounds++) {
    rig.drain();
    at += rig.session.write(data.subarray(at));
  }
  assert.equal(at, data.length);
  rig.session.sendCloseNotify();
  const records = rig.records();
  assert.deepEqual(records.at(-1), { type: ALERT, content: CLOSE_NOTIFY });
  assert.deepEqual(joined(...records.slice(0, -1).map(({ content }) => content)).toHex(), data.toHex());
});

Deno.test("record session: a freed one neither reads nor writes", () => {
  using rig = new Rig();
  rig.sockets.send(rig.ends.sealed(DATA, bytes(10)));
  rig.session.free();
  assert.equal(rig.session.read(new Uint8Array(100), 0, true), -1);
  assert.equal(rig.session.write(bytes(10)), -1);
  rig.session.sendCloseNotify();
  assert.equal(rig.session.flush(), true);
  assert.deepEqual(rig.sockets.received(), new Uint8Array(0));
});
