import { strict as assert } from "node:assert";
import { LOOPBACK_V4 } from "./address.ts";
import type { Duplex } from "./duplex.ts";
import { LibrarySession } from "./library_session.ts";
import { MemoryNetwork } from "./testkit/memory_network.ts";
import { StreamCarrier } from "./record_carrier.ts";
import { layerMemory, type MemorySession, TlsLayer } from "./tls_layer.ts";
import { LayeredTlsDuplex } from "./tls_layered_duplex.ts";
/** A stream that always has data, and counts the bytes that were read. */
class Endless implements Duplex {
  readonly local = { ip: LOOPBACK_V4, port: 1 };
  readonly remote = { ip: LOOPBACK_V4, port: 2 };
  readonly readable = true;
  readonly ended = false;
  readonly broken = false;
  readonly failure = null;
  readonly writeUnit = 1;
  readonly path = null;
  taken = 0;

  start(): void {}
  end(): void {}
  close(): void {}
  write = (bytes: Uint8Array) => bytes.length;
  writeGather = () => 0;
  readScatter = () => 0;

  read(into: Uint8Array): number {
    this.taken += into.length;
    return into.length;
  }
}

/** A session whose peer sends `share` bytes of data in each kilobyte on the wire. */
class Session implements MemorySession {
  #wire = 0;
  #fresh = 0;
  constructor(readonly share: number) {}
  feed(bytes: Uint8Array): void {
    this.#wire += bytes.length;
    this.#fresh += bytes.length;
  }
  read(): number {
    const data = (this.#fresh >> 10) * this.share;
    this.#fresh = 0;
    return data;
  }
  bytesFromSocket = () => this.#wire >>> 0;
  readonly failure = null;
  readonly isFreed = false;
  handshake = () => "done" as const;
  drain = () => 0;
  takeUnread = () => new Uint8Array(0);
  write = () => 0;
  sendCloseNotify = () => true;
  feedEnd(): void {}
  free(): void {}
}

function sessionOf(share: number) {
  const plain = new Endless();
  const session = new LibrarySession(
    new TlsLayer(new StreamCarrier(plain), new Session(share), layerMemory()),
  );
  return { plain, session, duplex: new LayeredTlsDuplex(new MemoryNetwork(), plain, session) };
}

Deno.test("TLS records of the library, over a stream: records without data end the session, within one read", () => {
  const { duplex, plain } = sessionOf(0);
  assert.equal(duplex.read(new Uint8Array(1024)), -1);
  assert.equal(duplex.failure?.code, "TLS_FLOOD");
  assert.ok(plain.taken <= 256 * 1024, `${plain.taken} bytes were taken`);
});

Deno.test("TLS records of the library, over a stream: small records with data do not end the session", () => {
  const { duplex } = sessionOf(32);
  for (let i = 0; i < 1000; i++) assert.ok(duplex.read(new Uint8Array(1024)) > 0);
});

Deno.test("TLS records of the library, over a stream: one read takes records until few bytes are left of the memory", () => {
  const { session } = sessionOf(512);
  assert.equal(session.read(new Uint8Array(60_000), 0), 3 * 16_384);
  assert.equal(session.remainder, "more");
  assert.equal(session.wireBytes, 3 * 32_768);
});
