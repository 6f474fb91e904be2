import { strict as assert } from "node:assert";
import { libc } from "../os/libc_sockets.ts";
import { connectPackets, listenPackets, type PacketSocket, type Reception } from "./packet_socket.ts";
import { openDescriptors, ReactorRig } from "./testkit/reactor.ts";
import { listenUnix } from "./unix.ts";
import { readSystemFile, readSystemLink } from "../os/system_files.ts";

interface Pair {
  readonly rig: ReactorRig;
  readonly client: PacketSocket;
  readonly agent: PacketSocket;
  /** The next packet or end that the client receives. */
  next(): Promise<Exclude<Reception, { kind: "nothing" }>>;
  /** New descriptors of an open file, to send. They are closed when the test ends. */
  files(count: number): number[];
}

/** Runs a test, and checks that it leaves no descriptor open. */
async function withPair(body: (pair: Pair) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync();
  try {
    await using rig = new ReactorRig();
    const before = openDescriptors();
    const path = `${folder}/zds`;
    const accepted: PacketSocket[] = [];
    const listener = listenPackets(rig.network, path, (socket) => accepted.push(socket));
    const client = connectPackets(rig.network, path);
    assert.ok("receive" in client, JSON.stringify(client));
    await rig.run(() => accepted.length === 1);
    listener.close();
    const agent = accepted[0]!;
    let announced = 0;
    client.start({ onReadable: () => announced++ });
    const files: number[] = [];
    await body({
      rig,
      client,
      agent,
      async next() {
        for (;;) {
          const seen = announced;
          const reception = client.receive();
          if (reception.kind !== "nothing") return reception;
          await rig.run(() => announced > seen);
        }
      },
      files(count) {
        const made = Array.from({ length: count }, () => libc.dup(0));
        files.push(...made);
        return made;
      },
    });
    for (const file of files) libc.close(file);
    client.close();
    client.close();
    agent.close();
    await rig.run(() => openDescriptors() === before);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

async function packet(pair: Pair) {
  const reception = await pair.next();
  assert.ok(reception.kind === "packet", reception.kind);
  return reception;
}

const BYTES = Uint8Array.of(1, 2, 3);

Deno.test("packets arrive whole, in both directions", () =>
  withPair(async (pair) => {
    assert.equal(pair.agent.send(BYTES), null);
    assert.equal(pair.agent.send(Uint8Array.of(4)), null);
    assert.deepEqual((await packet(pair)).bytes, BYTES);
    const second = await packet(pair);
    assert.deepEqual(second.bytes, Uint8Array.of(4));
    assert.deepEqual(second.descriptors, []);
    assert.equal(second.truncated, false);
    assert.equal(pair.client.receive().kind, "nothing");
    assert.equal(pair.client.send(BYTES), null);
    const answer = pair.agent.receive();
    assert.deepEqual(answer.kind === "packet" && answer.bytes, BYTES);
  }));

Deno.test("inpod Z2: one descriptor arrives, is close-on-exec, and is owned by the user that takes it", () =>
  withPair(async (pair) => {
    assert.equal(pair.agent.send(BYTES, pair.files(1)), null);
    const { descriptors } = await packet(pair);
    assert.equal(descriptors.length, 1);
    const fd = descriptors[0]!.take();
    assert.equal(descriptors[0]!.fd, -1);
    assert.match(readSystemFile(`/proc/self/fdinfo/${fd}`), /flags:\s+02/);
    pair.client.receive();
    assert.ok(readSystemLink(`/proc/self/fd/${fd}`).length > 0);
    assert.equal(libc.close(fd), 0);
  }));

Deno.test("inpod Z9: of two descriptors both arrive; untaken ones are closed by the next receive", () =>
  withPair(async (pair) => {
    const files = pair.files(2);
    const before = openDescriptors();
    assert.equal(pair.agent.send(BYTES, files), null);
    const { descriptors, truncated } = await packet(pair);
    assert.equal(descriptors.length, 2);
    assert.equal(truncated, false);
    assert.equal(openDescriptors(), before + 2);
    assert.equal(pair.client.receive().kind, "nothing");
    assert.equal(openDescriptors(), before);
  }));

Deno.test("inpod Z10: of three descriptors two arrive, truncated, and all are closed", () =>
  withPair(async (pair) => {
    assert.equal(pair.agent.send(BYTES, pair.files(3)), null);
    const { descriptors, truncated } = await packet(pair);
    assert.equal(descriptors.length, 2);
    assert.equal(truncated, true);
  }));

Deno.test("inpod Z11, Z12: 1024 bytes are a packet, 1025 are truncated, and their descriptor is closed", () =>
  withPair(async (pair) => {
    assert.equal(pair.agent.send(new Uint8Array(1024)), null);
    assert.equal((await packet(pair)).truncated, false);
    assert.equal(pair.agent.send(new Uint8Array(1025), pair.files(1)), null);
    const { bytes, truncated, descriptors } = await packet(pair);
    assert.deepEqual([bytes.length, truncated, descriptors.length], [1024, true, 1]);
  }));

Deno.test("a user that throws while it handles a packet leaks no descriptor", () =>
  withPair(async (pair) => {
    assert.equal(pair.agent.send(BYTES, pair.files(1)), null);
    await packet(pair);
  }));

Deno.test("inpod Z15, Z18: the end, also an empty packet, with or without descriptors", async () => {
  await withPair(async (pair) => {
    assert.equal(pair.agent.send(BYTES), null);
    pair.agent.close();
    assert.deepEqual((await packet(pair)).bytes, BYTES);
    const end = await pair.next();
    assert.ok(end.kind === "end");
    assert.equal(end.ending.how, "fin");
    assert.equal((await pair.next()).kind, "end");
    assert.equal(pair.client.send(BYTES)?.code, "EPIPE");
  });
  await withPair(async (pair) => {
    assert.equal(pair.agent.send(new Uint8Array(0), pair.files(1)), null);
    assert.equal((await pair.next()).kind, "end");
  });
});

Deno.test("sending fails with EAGAIN when the peer does not read, and with EMSGSIZE when the packet is too large", () =>
  withPair((pair) => {
    let ending = null;
    for (let i = 0; i < 100_000 && ending === null; i++) ending = pair.client.send(BYTES);
    assert.equal(ending?.code, "EAGAIN");
    assert.equal(pair.agent.send(new Uint8Array(10_000_000))?.code, "EMSGSIZE");
    return Promise.resolve();
  }));

Deno.test("after close nothing is sent, received or announced", () =>
  withPair(async (pair) => {
    assert.equal(pair.agent.send(BYTES, pair.files(1)), null);
    pair.client.close();
    assert.equal(pair.client.send(BYTES)?.code, "CLOSED");
    const end = await pair.next();
    assert.ok(end.kind === "end" && end.ending.code === "CLOSED");
  }));

Deno.test("connecting fails without a file, without a listener, and with another type of socket", async () => {
  const folder = Deno.makeTempDirSync();
  await using rig = new ReactorRig();
  const code = () => {
    const outcome = connectPackets(rig.network, `${folder}/s`);
    if ("code" in outcome) return outcome.code;
    outcome.close();
    return "connected";
  };
  assert.equal(code(), "ENOENT");
  const listener = listenUnix(rig.network, `${folder}/s`, (duplex) => duplex.close());
  assert.equal(code(), "EPROTOTYPE");
  listener.close();
  await rig.run(() => code() === "ECONNREFUSED");
  Deno.removeSync(folder, { recursive: true });
});
