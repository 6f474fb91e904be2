/** Records that the TLS library protects in memory: of TLS 1.2, and of libraries that do not show their secrets. */
import type { TlsFailure } from "../os/tls_failure.ts";
import { BROKEN, CLOSED_BY_PEER, WOULD_BLOCK } from "../os/tls_native_session.ts";
import type { Millis } from "./clock.ts";
import { MOST_DATA } from "./record_limits.ts";
import type { TlsLayer } from "./tls_layer.ts";
import type { Remainder, TlsSession } from "./tls_session.ts";

/** Records in one read, and portions of the carrier: a peer may send records with little data, or with none. */
const RECORDS_PER_READ = 32, PULLS_PER_READ = 8;
/** Bytes that are encrypted at once. Encrypted bytes that the carrier does not take are kept, so this bounds them. */
const WRITE_UNIT = 65_536;

/** See {@link TlsSession}. */
export class LibrarySession implements TlsSession {
  readonly #layer: TlsLayer;
  remainder: Remainder = "more";
  wireBytes = 0;
  isFlushed = false;

  constructor(layer: TlsLayer) {
    this.#layer = layer;
    this.flush();
  }

  get failure(): TlsFailure | null {
    return this.#layer.failure;
  }

  read(into: Uint8Array, now: Millis): number {
    const { session } = this.#layer;
    const before = session.bytesFromSocket();
    this.remainder = "more";
    let filled = 0, result = 0, records = RECORDS_PER_READ, pulls = PULLS_PER_READ;
    while (records > 0 && pulls > 0 && (filled === 0 || into.length - filled >= MOST_DATA)) {
      result = session.read(filled === 0 ? into : into.subarray(filled), now);
      if (result > 0) {
        filled += result;
        records--;
      } else if (result === WOULD_BLOCK && this.#layer.pull()) pulls--;
      else break;
    }
    this.wireBytes = (session.bytesFromSocket() - before) >>> 0;
    const isBroken = result === BROKEN || this.#layer.carrier.failure !== null;
    if (result === CLOSED_BY_PEER) this.remainder = "end";
    else if (result === WOULD_BLOCK && pulls > 0 && !isBroken) this.remainder = "nothing";
    // Sends the alert with the reason.
    if (result === BROKEN) this.flush();
    // Data is returned first: the next read finds the session as broken as it is now.
    return filled === 0 && isBroken ? BROKEN : filled;
  }

  write(bytes: Uint8Array): number {
    let total = 0;
    while (total < bytes.length && this.isFlushed) {
      const taken = this.#layer.session.write(bytes.subarray(total, total + WRITE_UNIT));
      if (taken <= 0) return BROKEN;
      total += taken;
      this.flush();
    }
    return this.failure === null ? total : BROKEN;
  }

  flush(): boolean {
    return this.isFlushed = this.#layer.push() === "done";
  }

  sendCloseNotify(): boolean {
    this.#layer.session.sendCloseNotify();
    return this.flush();
  }

  free(): void {
    this.#layer.session.free();
  }
}
