import { strict as assert } from "node:assert";
import type { NativeTlsSession } from "../os/tls_native_session.ts";
import { LOOPBACK_V4 } from "./address.ts";
import type { Duplex } from "./duplex.ts";
import { MemoryNetwork } from "./testkit/memory_network.ts";
import { TlsLayer } from "./tls_layer.ts";
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
class Session {
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
  drain = () => 0;
  free(): void {}
}

function duplexOf(share: number): { duplex: LayeredTlsDuplex; plain: Endless } {
  const plain = new Endless();
  const layer = new TlsLayer(plain, new Session(share) as unknown as NativeTlsSession, () => {});
  return { duplex: new LayeredTlsDuplex(new MemoryNetwork(), layer), plain };
}

Deno.test("TLS within TLS: records without data end the stream, within one read", () => {
  const { duplex, plain } = duplexOf(0);
  assert.equal(duplex.read(new Uint8Array(1024)), -1);
  assert.equal(duplex.failure?.code, "TLS_FLOOD");
  assert.ok(plain.taken <= 256 * 1024, `${plain.taken} bytes were taken`);
});

Deno.test("TLS within TLS: small records with data do not end the stream", () => {
  const { duplex } = duplexOf(32);
  for (let i = 0; i < 1000; i++) assert.ok(duplex.read(new Uint8Array(1024)) > 0);
});
