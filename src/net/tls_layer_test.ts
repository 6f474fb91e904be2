import { strict as assert } from "node:assert";
import type { TlsFailure } from "../os/tls_failure.ts";
import type { RecordCarrier } from "./record_carrier.ts";
import { layerMemory, type MemorySession, TlsLayer } from "./tls_layer.ts";
import { BROKEN } from "./tls_session.ts";

/** Has `portions` full portions, and then nothing; or it fails. */
class Carrier implements RecordCarrier {
  failure: TlsFailure | null = null;
  reads = 0;
  written = 0;
  constructor(public portions: number, readonly end: TlsFailure | null = null) {}

  read(_into: Uint8Array, length: number): number {
    this.reads++;
    if (this.portions-- > 0) return length;
    this.failure = this.end;
    return this.end === null ? 0 : BROKEN;
  }

  write(_bytes: Uint8Array, length: number): number {
    this.written += length;
    return length;
  }
}

/** Its handshake never ends by itself. It has `answer` bytes for the peer. */
class Session implements MemorySession {
  failure: TlsFailure | null = null;
  isFreed = false;
  fed = 0;
  constructor(public answer = 0) {}

  handshake(): "again" | "failed" {
    return this.failure === null ? "again" : "failed";
  }

  feed(bytes: Uint8Array): void {
    this.fed += bytes.length;
  }

  feedEnd(): void {
    this.failure = { kind: "eof" };
  }

  drain(): number {
    const count = this.answer;
    this.answer = 0;
    return count;
  }

  takeUnread = () => new Uint8Array(0);
  read = () => 0;
  write = () => 0;
  sendCloseNotify = () => true;
  bytesFromSocket = () => this.fed;
  free(): void {}
}

function layer(carrier: Carrier, session: Session): TlsLayer {
  return new TlsLayer(carrier, session, layerMemory());
}

Deno.test("TLS layer: a handshake takes some portions in a step, however much the peer sends", () => {
  const carrier = new Carrier(Infinity), session = new Session();
  assert.equal(layer(carrier, session).handshake(), "more");
  assert.deepEqual([carrier.reads, session.fed], [2, 65_536]);
});

Deno.test("TLS layer: a handshake without more bytes waits for an event", () => {
  const carrier = new Carrier(1), session = new Session(100);
  assert.equal(layer(carrier, session).handshake(), "again");
  assert.deepEqual([carrier.reads, carrier.written], [2, 100]);
});

Deno.test("TLS layer: the end of the carrier is the end of the handshake", () => {
  const ended = layer(new Carrier(0, { kind: "eof" }), new Session());
  assert.equal(ended.handshake(), "failed");
  assert.deepEqual(ended.failure, { kind: "eof" });
});

Deno.test("TLS layer: an error of the carrier is kept, and the carrier is not read again", () => {
  const carrier = new Carrier(0, { kind: "system", errno: 104 });
  const failed = layer(carrier, new Session());
  for (let i = 0; i < 2; i++) assert.equal(failed.handshake(), "failed");
  assert.deepEqual(failed.failure, { kind: "system", errno: 104 });
  assert.equal(carrier.reads, 1);
});
