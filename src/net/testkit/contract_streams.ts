/** The part of the network contract for streams: bytes, back-pressure, ends and resets. */
import { strict as assert } from "node:assert";
import { FAILED } from "../duplex.ts";
import { assertSameBytes, connect, type ContractTest, Idle, payloadOf, Pump } from "./contract_kit.ts";

const HELLO = new TextEncoder().encode("hello");
const NOTHING = new Uint8Array(0);

/** Registers the tests of bytes and back-pressure. */
export function transferContract(test: ContractTest): void {
  test("megabytes in both directions with small reads and writes arrive intact", async (rig) => {
    const { client, server } = await connect(rig);
    const up = payloadOf(5_000_000, 1);
    const down = payloadOf(5_000_000, 2);
    const left = new Pump(rig.network, client, up, { readSizes: [1, 700, 3, 9000, 20_000] });
    const right = new Pump(rig.network, server, down, { readSizes: [4096, 1, 65_536], writeSize: 3333 });
    await rig.run(() => left.done && right.done);
    assertSameBytes(right.bytes, up);
    assertSameBytes(left.bytes, down);
    client.close();
    server.close();
  });

  test("a user that does not read stops the writer, and no byte is lost when it reads again", async (rig) => {
    const { client, server } = await connect(rig);
    const piece = payloadOf(1 << 20, 3);
    client.start(new Idle());
    let sent = 0;
    for (let taken = piece.length; taken === piece.length; sent += taken) {
      assert.ok(sent < 256 << 20, "the writer was never stopped");
      taken = client.write(piece);
      assert.notEqual(taken, FAILED);
    }
    const reader = new Pump(rig.network, server, NOTHING, { end: false, readSizes: [262_144] });
    await rig.run(() => reader.receivedBytes === sent);
    const bytes = reader.bytes;
    for (let at = 0; at < sent; at += piece.length) {
      const length = Math.min(piece.length, sent - at);
      assertSameBytes(bytes.subarray(at, at + length), piece.subarray(0, length));
    }
    client.close();
    server.close();
  });

  test("a writer that was stopped is notified when there is room", async (rig) => {
    const { client, server } = await connect(rig);
    const payload = payloadOf(32 << 20, 4);
    const writer = new Pump(rig.network, client, payload);
    assert.ok(writer.sentBytes < payload.length, "the buffers took everything");
    const reader = new Pump(rig.network, server, NOTHING, { readSizes: [262_144] });
    await rig.run(() => reader.done && writer.done);
    assertSameBytes(reader.bytes, payload);
    client.close();
    server.close();
  });

  test("scattered reads and gathered writes move the same bytes as plain ones", async (rig) => {
    const { client, server } = await connect(rig);
    const from = payloadOf(4000, 5);
    const parts = Int32Array.of(100, 1, 3000, 900, 0, 50, 500, 0, 1500, 1400);
    const expected = [100, 3000, 0, 500, 1500].flatMap((at, i) => [...from.subarray(at, at + parts[2 * i + 1]!)]);
    client.start(new Idle());
    const arrived = new Idle();
    server.start(arrived);
    assert.equal(client.writeGather(from, parts, 5), expected.length);
    const got: number[] = [];
    const into = new Uint8Array(1000);
    const places = Int32Array.of(900, 100, 10, 5, 0, 1, 200, 600);
    while (got.length < expected.length) {
      await rig.run(() => arrived.readable > 0 || server.readable);
      const count = server.readScatter(into, places, 4);
      assert.ok(count >= 0);
      const places1d = [900, 10, 0, 200].flatMap((at, i) => [...into.subarray(at, at + places[2 * i + 1]!)]);
      got.push(...places1d.slice(0, count));
      if (!server.readable) arrived.readable = 0;
    }
    assertSameBytes(Uint8Array.from(got), Uint8Array.from(expected));
    client.close();
    server.close();
  });

  test("one segment and the last flag do not change the bytes", async (rig) => {
    const { client, server } = await connect(rig);
    client.start(new Idle());
    const reader = new Pump(rig.network, server, NOTHING);
    assert.equal(client.writeGather(HELLO, Int32Array.of(1, 3), 1), 3);
    assert.equal(client.writeGather(HELLO, Int32Array.of(0, 2, 2, 3), 2, true), 5);
    client.end();
    await rig.run(() => reader.done);
    assert.equal(new TextDecoder().decode(reader.bytes), "ellhello");
    client.close();
    server.close();
  });

  test("last flag, then the end at once: all bytes arrive, then the end", async (rig) => {
    const { client, server } = await connect(rig);
    const writer = new Pump(rig.network, client, payloadOf(300_000, 6), { last: true, writeSize: 70_000 });
    const reader = new Pump(rig.network, server, NOTHING);
    await rig.run(() => writer.done && reader.done);
    assertSameBytes(reader.bytes, writer.payload);
    client.close();
    server.close();
  });

  test("a stream can be given to another user, and from then on only that one is notified", async (rig) => {
    const { client, server } = await connect(rig);
    client.start(new Idle());
    const first = new Idle();
    server.start(first);
    assert.equal(client.write(HELLO), HELLO.length);
    await rig.run(() => server.readable);
    const before = { ...first };
    const second = new Pump(rig.network, server, NOTHING, { end: false });
    await rig.run(() => second.receivedBytes === HELLO.length);
    assert.equal(client.write(HELLO), HELLO.length);
    client.end();
    await rig.run(() => server.ended);
    assert.equal(new TextDecoder().decode(second.bytes), "hellohello");
    assert.deepEqual({ ...first }, before);
    client.close();
    server.close();
  });

  test("bytes that arrived before start are announced, or readable is true", async (rig) => {
    const { client, server } = await connect(rig);
    new Pump(rig.network, client, HELLO);
    let later = false;
    rig.network.after(5, () => later = true);
    await rig.run(() => later);
    const reader = new Pump(rig.network, server, NOTHING);
    await rig.run(() => reader.done);
    assertSameBytes(reader.bytes, HELLO);
    client.close();
    server.close();
  });
}

/** Registers the tests of ends, resets and closing. */
export function endingContract(test: ContractTest): void {
  test("half-close by either side does not affect the other direction", async (rig) => {
    for (const order of ["client first", "server first"]) {
      const { client, server } = await connect(rig);
      const [first, second] = order === "client first" ? [client, server] : [server, client];
      const early = new Pump(rig.network, first, HELLO);
      const late = new Pump(rig.network, second, NOTHING, { end: false });
      await rig.run(() => late.duplex.ended);
      assertSameBytes(late.bytes, HELLO);
      assert.ok(!early.duplex.ended);
      for (const part of ["still", " here"]) {
        const bytes = new TextEncoder().encode(part);
        assert.equal(second.write(bytes), bytes.length);
      }
      await rig.run(() => early.receivedBytes === 10);
      second.end();
      second.close();
      await rig.run(() => early.duplex.ended);
      assert.equal(new TextDecoder().decode(early.bytes), "still here");
      first.close();
    }
  });

  test("an end without bytes is announced, and a read returns zero", async (rig) => {
    const { client, server } = await connect(rig);
    client.start(new Idle());
    const sink = new Idle();
    server.start(sink);
    client.end();
    client.end();
    await rig.run(() => sink.readable > 0);
    assert.equal(server.read(new Uint8Array(10)), 0);
    assert.ok(server.ended);
    assert.ok(!server.readable);
    assert.equal(server.failure, null);
    client.close();
    server.close();
  });

  test("without bytes a read returns zero, and the stream has not ended", async (rig) => {
    const { client, server } = await connect(rig);
    server.start(new Idle());
    assert.equal(server.read(new Uint8Array(10)), 0);
    assert.ok(!server.ended);
    assert.ok(!server.readable);
    assert.equal(server.failure, null);
    client.close();
    server.close();
  });

  test("a reset is reported to a reader as ECONNRESET", async (rig) => {
    const { client, server } = await connect(rig);
    const victim = new Pump(rig.network, client, NOTHING, { end: false });
    server.close(true);
    await rig.run(() => victim.failure !== null);
    assert.equal(victim.failure?.code, "ECONNRESET");
    assert.equal(victim.failure?.how, "reset");
    assert.equal(victim.failure?.by, "peer");
    assert.match(victim.failure?.message ?? "", /^Connection reset by peer/);
    assert.equal(client.failure, victim.failure);
    assert.equal(client.read(new Uint8Array(1)), FAILED);
    client.close();
  });

  test("a reset that arrives together with data is reported after the data", async (rig) => {
    const { client, server } = await connect(rig);
    server.start(new Idle());
    server.write(payloadOf(50_000, 8));
    server.close(true);
    let victim: Pump | null = null;
    // The data and the reset have arrived by then.
    rig.network.after(20, () => victim = new Pump(rig.network, client, NOTHING, { end: false, readSizes: [262_144] }));
    await rig.run(() => victim !== null && victim.failure !== null);
    assert.equal(client.failure?.how, "reset");
    client.close();
  });

  test("a reset is reported to a writer that was stopped", async (rig) => {
    const { client, server } = await connect(rig);
    const victim = new Pump(rig.network, client, payloadOf(32 << 20, 7), { end: false });
    server.close(true);
    await rig.run(() => victim.failure !== null);
    assert.equal(victim.failure?.how, "reset");
    client.close();
  });

  test("closing with unread bytes resets the peer", async (rig) => {
    const { client, server } = await connect(rig);
    const victim = new Pump(rig.network, client, HELLO, { end: false });
    const sink = new Idle();
    server.start(sink);
    await rig.run(() => sink.readable > 0 || server.readable);
    server.close();
    await rig.run(() => victim.failure !== null || victim.duplex.ended);
    assert.equal(victim.failure?.code, "ECONNRESET");
    client.close();
  });

  test("writing to a peer that has closed fails after some writes", async (rig) => {
    const { client, server } = await connect(rig);
    const victim = new Pump(rig.network, client, NOTHING, { end: false });
    server.close();
    await rig.run(() => client.ended);
    let tries = 0;
    const again = () => {
      if (victim.failure !== null || client.write(HELLO) === FAILED || ++tries > 100) return;
      rig.network.after(1, again);
    };
    again();
    await rig.run(() => client.failure !== null || tries > 100);
    assert.equal(client.failure?.how, "reset");
    client.close();
  });

  test("closing is idempotent, and after it the stream neither notifies its user nor moves bytes", async (rig) => {
    const { client, server } = await connect(rig);
    const sink = new Idle();
    const reader = new Pump(rig.network, server, NOTHING);
    client.start(sink);
    assert.equal(client.write(HELLO), HELLO.length);
    client.close();
    client.close();
    client.close(true);
    client.end();
    assert.equal(client.read(new Uint8Array(1)), FAILED);
    assert.equal(client.write(HELLO), FAILED);
    assert.equal(client.failure?.code, "CLOSED");
    const before = { ...sink };
    await rig.run(() => reader.duplex.ended || reader.failure !== null);
    assertSameBytes(reader.bytes, HELLO);
    assert.deepEqual({ ...sink }, before);
    server.close();
  });

  test("a stream may be closed by its own callback", async (rig) => {
    const { client, server } = await connect(rig);
    let calls = 0;
    server.start({
      onReadable() {
        calls++;
        server.close(true);
      },
      onWritable: () => assert.fail("called after close"),
      onFailure: () => assert.fail("called after close"),
    });
    const victim = new Pump(rig.network, client, HELLO, { end: false });
    await rig.run(() => victim.failure !== null);
    assert.equal(calls, 1);
    client.close();
  });
}
