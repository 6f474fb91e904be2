/** TCP divides a handshake, and what is behind it, wherever it likes. */
import { strict as assert } from "node:assert";
import type { SocketAddress } from "../../src/net/address.ts";
import type { Duplex } from "../../src/net/duplex.ts";
import { ALERT, CLOSE_NOTIFY, DATA, HANDSHAKE, joined, UPDATE } from "../../src/net/testkit/record_ends.ts";
import { OpenSslContext } from "../../src/net/tls_engine.ts";
import type { RecordCipher } from "../../src/os/record_cipher.ts";
import type { NativeTlsSession } from "../../src/os/tls_native_session.ts";
import { client, type Outcome, server, type TlsRig, withTls } from "./rig.ts";

/** A peer whose test decides what leaves with which segment. */
class Peer {
  readonly session: NativeTlsSession;
  readonly #rig: TlsRig;
  #duplex: Duplex | null = null;
  #isDone = false;

  constructor(rig: TlsRig, role: "client" | "server") {
    this.#rig = rig;
    const context = rig.context(role === "client" ? client : server);
    assert.ok(context instanceof OpenSslContext);
    this.session = context.native.newMemorySession(role, () => null);
  }

  connect(to: SocketAddress): Promise<void> {
    this.#rig.sockets.network.dial(to, {}, {
      onConnect: (duplex) => this.attach(duplex),
      onDialFailure: (ending) => assert.fail(ending.message),
    });
    return this.#rig.sockets.run(() => this.#duplex !== null);
  }

  attach(duplex: Duplex): void {
    this.#duplex = duplex;
    const buffer = new Uint8Array(16_384);
    const onReadable = () => {
      for (let count; (count = duplex.read(buffer)) > 0;) this.session.feed(buffer.subarray(0, count));
    };
    duplex.start({ onReadable, onWritable() {}, onFailure() {} });
    onReadable();
  }

  /** What the handshake sends next, once the other side's messages are there. */
  async next(): Promise<Uint8Array> {
    let flight = new Uint8Array(0);
    await this.#rig.sockets.run(() => {
      this.#isDone ||= this.#duplex !== null && this.session.handshake() === "done";
      const buffer = new Uint8Array(16_384);
      flight = buffer.slice(0, this.session.drain(buffer));
      return flight.length > 0 || this.#isDone;
    });
    return flight;
  }

  /** Sends `bytes` in segments of `size` bytes, each in another turn of the loop. */
  async send(bytes: Uint8Array, size: number): Promise<void> {
    const { network, run } = this.#rig.sockets;
    let at = 0;
    const task = {
      runTurn: () => {
        const segment = bytes.subarray(at, at + size);
        assert.equal(this.#duplex!.write(segment), segment.length);
        at += segment.length;
        if (at < bytes.length) network.nextTurn(task);
      },
    };
    network.nextTurn(task);
    await run(() => at === bytes.length);
  }

  end(): void {
    this.#duplex!.end();
  }

  close(reset = false): void {
    this.#duplex?.close(reset);
    this.session.free();
  }
}

type Seal = (type: number, content: Uint8Array) => Uint8Array;

function sealWith(cipher: RecordCipher): Seal {
  return (type, content) => {
    const into = new Uint8Array(content.length + 22);
    cipher.seal(type, content, into, 0);
    if (type === HANDSHAKE) cipher.update();
    return into;
  };
}

/** Reads until the stream has ended or failed. */
async function readAll(rig: TlsRig, duplex: Duplex): Promise<{ bytes: Uint8Array; code: string }> {
  const parts: Uint8Array[] = [];
  const read = () => {
    for (const into = new Uint8Array(20_000); duplex.readable;) {
      const count = duplex.read(into);
      if (count < 0) return;
      parts.push(into.slice(0, count));
    }
  };
  duplex.start({ onReadable: read, onWritable() {}, onFailure() {} });
  read();
  await rig.sockets.run(() => duplex.ended || duplex.failure !== null);
  return { bytes: joined(...parts), code: duplex.failure?.code ?? "END" };
}

const bytes = (count: number) => new Uint8Array(count).map((_, i) => i * 31 + (i >> 8));
const end = (seal: Seal) => seal(ALERT, CLOSE_NOTIFY);

/** Behind the client's Finished. */
const tails: readonly [what: string, tail: (seal: Seal) => Uint8Array, bytes: Uint8Array, code: string][] = [
  ["data", (seal) => joined(seal(DATA, bytes(100)), end(seal)), bytes(100), "END"],
  ["more data than is read with it", (seal) => joined(seal(DATA, bytes(15_000)), end(seal)), bytes(15_000), "END"],
  [
    "a key update and data",
    (seal) => joined(seal(HANDSHAKE, UPDATE), seal(DATA, bytes(9)), end(seal)),
    bytes(9),
    "END",
  ],
  ["close_notify", end, bytes(0), "END"],
  ["a fatal alert", (seal) => joined(seal(DATA, bytes(5)), seal(ALERT, Uint8Array.of(2, 40))), bytes(5), "TLS_ALERT"],
  [
    "a record that is too long",
    (seal) => joined(seal(DATA, bytes(5)), Uint8Array.of(23, 3, 3, 0x41, 1)),
    bytes(5),
    "TLS",
  ],
  ["a record that is not authentic", () => Uint8Array.of(23, 3, 3, 0, 17, ...bytes(17)), bytes(0), "TLS"],
];

for (const [what, tail, expected, code] of tails) {
  for (const size of [1, 700, 100_000]) {
    Deno.test(`TLS segments of ${size} bytes: ${what} right behind the client's Finished`, () =>
      withTls(async (rig) => {
        const { listener, outcomes, address } = rig.listen(rig.context(server));
        const peer = new Peer(rig, "client");
        await peer.connect(address);
        await peer.send(await peer.next(), size);
        const finished = await peer.next();
        const { cipher } = peer.session.negotiated();
        const records = peer.session.takeRecordCiphers(cipher)!;
        await peer.send(joined(finished, tail(sealWith(records.send))), size);
        await rig.sockets.run(() => outcomes.length > 0);
        assert.deepEqual(await readAll(rig, outcomes[0]!.duplex!), { bytes: expected, code });
        records.send.free();
        records.receive.free();
        peer.close();
        listener.close();
      }));
  }
}

/** Lets our client meet a scripted server. */
async function withServer(
  rig: TlsRig,
  run: (peer: Peer, outcome: Promise<Outcome>) => Promise<void>,
): Promise<void> {
  const peer = new Peer(rig, "server");
  const at = { address: { ip: rig.sockets.loopback, port: 0 } };
  const listener = rig.sockets.network.listen(at, ({ duplex }) => peer.attach(duplex));
  await run(peer, rig.connect(listener.local, rig.context(client)));
  peer.close();
  listener.close();
}

for (const size of [1, 700, 100_000]) {
  Deno.test(`TLS segments of ${size} bytes: a client reads the server's messages, and then data`, () =>
    withTls((rig) =>
      withServer(rig, async (peer, outcome) => {
        await peer.send(await peer.next(), size);
        await peer.next();
        const records = peer.session.takeRecordCiphers(peer.session.negotiated().cipher)!;
        const seal = sealWith(records.send);
        await peer.send(joined(seal(DATA, bytes(9000)), end(seal)), size);
        const { duplex } = await outcome;
        assert.deepEqual(await readAll(rig, duplex!), { bytes: bytes(9000), code: "END" });
        records.send.free();
        records.receive.free();
      })
    ));
}

for (const [what, isReset, code] of [["FIN", false, "TLS_EOF"], ["RST", true, "ECONNRESET"]] as const) {
  Deno.test(`TLS segments: a server's ${what} within its messages ends the handshake of a client`, () =>
    withTls((rig) =>
      withServer(rig, async (peer, outcome) => {
        const flight = await peer.next();
        await peer.send(flight.subarray(0, flight.length - 20), 700);
        if (isReset) peer.close(true);
        else peer.end();
        assert.equal((await outcome).ending?.code, code);
      })
    ));
}
