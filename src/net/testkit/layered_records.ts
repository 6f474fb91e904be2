/** A session over a stream in memory, with our own records, and its peer with the same secret in both directions. */
import { type Duplex, type DuplexSink, type Ending, FAILED } from "../duplex.ts";
import { RecordBuffers } from "../record_buffers.ts";
import { StreamCarrier } from "../record_carrier.ts";
import { RecordSession } from "../record_session.ts";
import { LayeredTlsDuplex } from "../tls_layered_duplex.ts";
import type { MemoryDuplex, StreamOptions } from "./memory_duplex.ts";
import { MemoryNetwork } from "./memory_network.ts";
import { joined, RecordEnds } from "./record_ends.ts";

/** Bytes of the records that the session makes at once. */
export const UNIT = 65_536;

/** What the handshake has left, and the stream below. */
interface Options extends StreamOptions {
  readonly received?: Uint8Array;
  readonly unsent?: Uint8Array;
}

/** The session is `duplex`, over `near`; the test is the peer. */
export class LayeredRig implements Disposable {
  readonly network = new MemoryNetwork();
  readonly ends = new RecordEnds();
  readonly near: MemoryDuplex;
  readonly far: MemoryDuplex;
  readonly duplex: Duplex;
  readonly user: Reader;
  readonly #received: Uint8Array[] = [];

  constructor(options: Options = {}) {
    const none = new Uint8Array(0), { received = none, unsent = none } = options;
    [this.near, this.far] = this.network.pair(options);
    const ciphers = { send: this.ends.cipher("send"), receive: this.ends.cipher("receive") };
    const carrier = new StreamCarrier(this.near);
    const session = new RecordSession(carrier, ciphers, "client", UNIT, new RecordBuffers(), { received, unsent });
    this.duplex = new LayeredTlsDuplex(this.network, this.near, session);
    this.user = new Reader(this.duplex);
    this.far.start({ onReadable() {}, onWritable() {}, onFailure() {} });
    this.network.runUntilIdle();
  }

  /** The peer sends bytes, and the user reads what it is notified of. */
  send(...parts: readonly Uint8Array[]): void {
    const bytes = joined(...parts);
    if (this.far.write(bytes) !== bytes.length) throw new Error("the stream takes no more");
    this.network.runUntilIdle();
  }

  /** Takes what the session has sent, until nothing comes any more. */
  drain(): void {
    const into = new Uint8Array(262_144);
    for (let count = 1; count > 0;) {
      this.network.runUntilIdle();
      count = this.far.read(into);
      if (count > 0) this.#received.push(into.slice(0, count));
    }
  }

  /** The records that the session has sent since the start. Call it once. */
  records(): { readonly type: number; readonly content: Uint8Array }[] {
    this.drain();
    return this.ends.opened(joined(...this.#received));
  }

  [Symbol.dispose](): void {
    this.duplex.close(true);
    this.network.runUntilIdle();
    this.ends[Symbol.dispose]();
  }
}

/** Reads all that a stream announces, and counts what it is notified of. */
class Reader implements DuplexSink {
  readonly #duplex: Duplex;
  readonly #parts: Uint8Array[] = [];
  /** Bytes of each read that returned some. */
  readonly counts: number[] = [];
  writable = 0;
  failure: Ending | null = null;

  constructor(duplex: Duplex) {
    this.#duplex = duplex;
    duplex.start(this);
    this.onReadable();
  }

  get data(): Uint8Array {
    return joined(...this.#parts);
  }

  onReadable(): void {
    const into = new Uint8Array(262_144);
    while (this.#duplex.readable) {
      const count = this.#duplex.read(into);
      if (count === FAILED) this.failure = this.#duplex.failure;
      if (count <= 0) continue;
      this.#parts.push(into.slice(0, count));
      this.counts.push(count);
    }
  }

  onWritable(): void {
    this.writable++;
  }

  onFailure(ending: Ending): void {
    this.failure = ending;
  }
}
