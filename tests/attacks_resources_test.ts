/** What an attacker can make a running proxy hold, and for how long (`docs/spec/observed.md` O26-O31). */
import { strict as assert } from "node:assert";
import { connect, type Socket } from "node:net";
import { FrameType, PREFACE } from "../src/h2/frame.ts";
import { data, frame, rst, settings } from "../src/h2/testkit/frames.ts";
import { copies, join } from "../testkit/attacks/frames.ts";
import { Neighbour } from "../testkit/attacks/neighbour.ts";
import { Peer, type Site } from "../testkit/attacks/peer.ts";
import { SMALL_HEAP, Target } from "../testkit/attacks/target.ts";
import { eventually } from "../lab/eventually.ts";

const IP = "127.77.3.1";
const MIB = 1 << 20;
/** Bytes that a stream without a reader accepts: its window, and the buffers of the sockets on the way. */
const STREAM_WINDOW = 4 * MIB;

/** Opens `count` tunnels to `app` and waits for their answers. */
async function tunnels(peer: Peer, authority: string, count: number): Promise<number[]> {
  const ids = Array.from({ length: count }, () => peer.tunnel(authority));
  assert.ok(await peer.until(() => ids.every((id) => peer.stream(id).status !== null)));
  return ids;
}

const never = new AbortController().signal;

Deno.test("observed O26: 40 MB of one-byte frames without a reader use no more memory than their data", async () => {
  await using target = await Target.start(IP, { env: SMALL_HEAP });
  await using neighbour = await Neighbour.open(target);
  await using peer = await Peer.connect(target.site);
  /** Sends ten bytes for each byte of a stream's window. Resolves when the proxy has read them all. */
  const flood = async (id: number) => {
    const chunk = copies(frame(FrameType.DATA, 0, id, [1]));
    for (let sent = 0; sent + chunk.length / 10 <= STREAM_WINDOW; sent += chunk.length / 10) {
      peer.send(chunk);
      await peer.drained(never);
    }
    const [last = 0] = await tunnels(peer, target.authority("echo"), 1);
    peer.send(data(last, [1]));
    await peer.until(() => peer.stream(last).received === 1);
  };
  const [read = 0, unread = 0] = [
    ...await tunnels(peer, target.authority("sink"), 1),
    ...await tunnels(peer, target.authority("idle"), 1),
  ];
  // What is allocated once, such as compiled code, exists after the first round.
  await flood(read);
  const before = target.memory();
  await flood(unread);
  assert.ok(peer.sent > 80e6, `${peer.sent} bytes sent`);
  const growth = target.memory() - before;
  assert.ok(growth < 12 * MIB, `${growth / MIB} MiB more than before`);
  await neighbour.echoes();
});

Deno.test("observed O27: dials to an address that never answers hold sockets only while their client is connected", async () => {
  await using target = await Target.start(IP);
  await using neighbour = await Neighbour.open(target);
  const atRest = target.atRest + Neighbour.DESCRIPTORS;
  const full = target.authority("full");

  await using patient = await Peer.connect(target.site);
  const ids = Array.from({ length: 200 }, () => patient.tunnel(full));
  await eventually("200 dials", () => target.proxy.descriptors >= atRest + 200);
  patient.send(join(...ids.map((id) => rst(id))));
  await target.proxy.descriptorsBackTo(atRest + 1);

  // Ten peers connect at once and then vanish.
  const crowd = await Promise.all(Array.from({ length: 10 }, () => Peer.connect(target.site)));
  for (const peer of crowd) for (let i = 0; i < 200; i++) peer.tunnel(full);
  await eventually("a thousand dials", () => target.proxy.descriptors >= atRest + 1000);
  await neighbour.echoes();
  for (const peer of crowd) peer.close(true);
  await target.proxy.descriptorsBackTo(atRest + 1);
  await neighbour.echoes();
});

Deno.test("observed O28: when a client vanishes, applications that do not read lose their connections at once", async () => {
  await using target = await Target.start(IP);
  await using neighbour = await Neighbour.open(target);
  await using peer = await Peer.connect(target.site);
  const ids = await tunnels(peer, target.authority("idle"), 100);
  for (const id of ids) peer.send(data(id, new Uint8Array(20_000)));
  await peer.drained(never);
  peer.close(true);
  await eventually("100 connections", () => target.apps.idleConnections.length === 100);
  const before = performance.now();
  await Promise.all(target.apps.idleConnections.map(toTheEnd));
  assert.ok(performance.now() - before < 9000, "long before a PING goes without an answer");
  await target.proxy.descriptorsBackTo(target.atRest + Neighbour.DESCRIPTORS);
  await neighbour.echoes();
});

/** Reads until the connection ends or is reset. */
async function toTheEnd(connection: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(65_536);
  try {
    while (await connection.read(buffer) !== null);
  } catch {
    // reset
  }
}

Deno.test("observed O29: without descriptors the proxy sheds connections, logs it once, and goes on", async () => {
  await using target = await Target.start(IP, { descriptors: 256 });
  await using neighbour = await Neighbour.open(target);
  const crowd: Socket[] = [];
  for (let i = 0; i < 400; i++) crowd.push(silent(target.site));
  await target.proxy.line(/cannot accept connections: EMFILE/);
  const cpu = target.cpu(), echoes = 50;
  for (let i = 0; i < echoes; i++) {
    await neighbour.echoes();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.ok(target.cpu() - cpu < 500, `${target.cpu() - cpu} ms of CPU time in half a second`);
  for (const socket of crowd) socket.destroy();
  await target.proxy.descriptorsBackTo(target.atRest + Neighbour.DESCRIPTORS);
  await using again = await Neighbour.open(target);
  await again.echoes();
  const told = target.proxy.lines.filter(({ message }) => message.startsWith("cannot accept connections"));
  assert.ok(told.length <= 2, `${told.length} lines`);
});

Deno.test("observed O30: eight streams without a reader do not block a ninth on the same connection", async () => {
  await using target = await Target.start(IP);
  await using peer = await Peer.connect(target.site);
  const ids = await tunnels(peer, target.authority("idle"), 8);
  const full = new Uint8Array(16_384);
  for (let sent = 0; sent < STREAM_WINDOW; sent += full.length) {
    peer.send(join(...ids.map((id) => data(id, full))));
    await peer.drained(never);
  }
  const [ninth = 0] = await tunnels(peer, target.authority("echo"), 1);
  for (let i = 0; i < 64; i++) peer.send(data(ninth, full));
  assert.ok(await peer.until(() => peer.stream(ninth).received === 64 * full.length), JSON.stringify(peer.goAway));
});

/** A connection that sends nothing, or `bytes`, and waits for its end. */
function silent({ host, port }: Site, bytes?: Uint8Array): Socket {
  const socket = connect(port, host);
  socket.on("error", () => {});
  socket.resume();
  if (bytes !== undefined) socket.write(bytes);
  return socket;
}

Deno.test("a thousand silent connections use little memory, and do not keep other peers out", async () => {
  await using target = await Target.start(IP, { env: SMALL_HEAP });
  await using neighbour = await Neighbour.open(target);
  const before = target.memory();
  const crowd = Array.from({ length: 3000 }, () => silent(target.site));
  await eventually("3000 connections", () => target.proxy.descriptors >= target.atRest + 3000);
  const growth = target.memory() - before;
  assert.ok(growth < 40 * MIB, `${growth / MIB} MiB more than before`);
  await neighbour.echoes();
  // The time of another process cannot be advanced: only connections older than a second are evicted
  // (`proxy/unproven.ts`).
  await new Promise((resolve) => setTimeout(resolve, 1000));
  await using newcomer = await Neighbour.open(target);
  await newcomer.echoes();
  // Each new connection evicts again, so the limit is exceeded only briefly.
  await eventually("2000 gone", () => crowd.filter(({ closed }) => closed).length >= 1900);
  for (const socket of crowd) socket.destroy();
  await target.proxy.descriptorsBackTo(target.atRest + 2 * Neighbour.DESCRIPTORS);
});

Deno.test("observed O31: peers that send nothing, or not everything, are disconnected after ten seconds", async () => {
  await using target = await Target.start(IP);
  await using neighbour = await Neighbour.open(target);
  const half = Uint8Array.of(22, 3, 1, 2, 0, 1);
  const start = performance.now();
  const plain = Array.from({ length: 100 }, (_, i) => silent(target.site, i % 2 === 0 ? undefined : half));
  const manner = { preface: false, answers: false } as const;
  const secured = await Promise.all(Array.from({ length: 100 }, () => Peer.connect(target.site, manner)));
  secured.forEach((peer, i) => {
    if (i % 2 === 0) return;
    const headers = frame(FrameType.HEADERS, 4, 1, new Uint8Array(20));
    peer.send(join(PREFACE, settings(), headers.subarray(0, 12)));
  });
  await eventually("200 connections", () => target.proxy.descriptors >= target.atRest + 200);
  while (secured.some(({ closed }) => !closed) || plain.some(({ closed }) => !closed)) {
    await neighbour.echoes();
    assert.ok(performance.now() - start < 20_000, "not gone after twenty seconds");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.ok(performance.now() - start > 8000, "no sooner than it is said");
  await target.proxy.descriptorsBackTo(target.atRest + Neighbour.DESCRIPTORS);
  const reasons = new Set(secured.map(({ goAway }) => goAway?.debug));
  assert.deepEqual([...reasons].sort(), [
    "no preface and SETTINGS within 10000 ms",
    "unfinished frame within 10000 ms",
  ]);
});
