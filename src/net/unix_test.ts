import { strict as assert } from "node:assert";
import type { Duplex } from "./duplex.ts";
import { assertSameBytes, Idle, payloadOf, Pump } from "./testkit/contract_kit.ts";
import { openDescriptors, ReactorRig } from "./testkit/reactor.ts";
import { connectUnix, listenUnix } from "./unix.ts";
import { encodeUnixPath, NO_ADDRESS } from "./unix_path.ts";

async function withSockets(body: (rig: ReactorRig, path: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync();
  try {
    await using rig = new ReactorRig();
    const before = openDescriptors();
    await body(rig, `${folder}/s`);
    await rig.run(() => openDescriptors() === before);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

async function connected(rig: ReactorRig, path: string): Promise<[client: Duplex, server: Duplex]> {
  const accepted: Duplex[] = [];
  const listener = listenUnix(rig.network, path, (duplex) => accepted.push(duplex));
  const client = connectUnix(rig.network, path);
  assert.ok("read" in client, JSON.stringify(client));
  await rig.run(() => accepted.length === 1);
  listener.close();
  listener.close();
  return [client, accepted[0]!];
}

Deno.test("unix streams: bytes, back-pressure and half-close work in both directions", () =>
  withSockets(async (rig, path) => {
    const [client, server] = await connected(rig, path);
    assert.equal(client.remote, NO_ADDRESS);
    assert.equal(client.local, NO_ADDRESS);
    const left = new Pump(rig.network, client, payloadOf(3_000_000, 1), { readSizes: [700, 65_536] });
    const right = new Pump(rig.network, server, payloadOf(1_000_000, 2), { writeSize: 3333, last: true });
    await rig.run(() => left.done && right.done);
    assertSameBytes(left.bytes, right.payload);
    assertSameBytes(right.bytes, left.payload);
  }));

Deno.test("unix streams: scattered reads and gathered writes move the same bytes as plain ones", () =>
  withSockets(async (rig, path) => {
    const [client, server] = await connected(rig, path);
    client.start(new Idle());
    const sink = new Idle();
    server.start(sink);
    const from = payloadOf(100, 3);
    assert.equal(client.writeGather(from, Int32Array.of(10, 5, 50, 20), 2), 25);
    await rig.run(() => sink.readable > 0);
    const into = new Uint8Array(100);
    assert.equal(server.readScatter(into, Int32Array.of(90, 10, 0, 40), 2), 25);
    assertSameBytes(into.subarray(90), Uint8Array.of(...from.subarray(10, 15), ...from.subarray(50, 55)));
    assertSameBytes(into.subarray(0, 15), from.subarray(55, 70));
    client.close();
    server.close();
  }));

Deno.test("unix streams: a peer that closes with unread bytes is a reset", () =>
  withSockets(async (rig, path) => {
    const [client, server] = await connected(rig, path);
    const victim = new Pump(rig.network, client, Uint8Array.of(1), { end: false });
    const sink = new Idle();
    server.start(sink);
    await rig.run(() => sink.readable > 0);
    server.close();
    await rig.run(() => victim.failure !== null);
    assert.equal(victim.failure?.code, "ECONNRESET");
    client.close();
  }));

Deno.test("unix streams: connecting and listening fail without a file, without a listener, or with a bad path", () =>
  withSockets(async (rig, path) => {
    const code = (at: string) => {
      const outcome = connectUnix(rig.network, at);
      if ("code" in outcome) return outcome.code;
      outcome.close();
      return "connected";
    };
    assert.equal(code(path), "ENOENT");
    listenUnix(rig.network, path, () => {}).close();
    await rig.run(() => code(path) === "ECONNREFUSED");
    assert.throws(() => listenUnix(rig.network, path, () => {}), { name: "SystemError", code: "EADDRINUSE" });
    for (const impossible of ["", "x".repeat(108), "a\0b"]) {
      assert.equal(encodeUnixPath(impossible), null);
      assert.equal(code(impossible), "EINVAL");
    }
    assert.equal(encodeUnixPath("x".repeat(107))?.length, 110);
    assert.deepEqual(encodeUnixPath("/a"), Uint8Array.of(1, 0, 0x2f, 0x61, 0));
  }));

Deno.test("unix streams: a listener may be closed from its own callback", () =>
  withSockets(async (rig, path) => {
    let accepted = 0;
    const listener = listenUnix(rig.network, path, (duplex) => {
      accepted++;
      listener.close();
      duplex.close();
    });
    const clients = [connectUnix(rig.network, path), connectUnix(rig.network, path)];
    await rig.run(() => accepted === 1);
    for (const client of clients) if ("close" in client) client.close();
  }));
