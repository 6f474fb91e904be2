/** Records that OpenSSL protects: of TLS 1.2, and of libraries that do not show their secrets. */
import type { TlsFailure } from "../os/tls_failure.ts";
import { BROKEN, CLOSED_BY_PEER, type NativeTlsSession, WOULD_BLOCK } from "../os/tls_native_session.ts";
import type { Millis } from "./clock.ts";
import { MOST_DATA } from "./record_limits.ts";
import type { Remainder, TlsSession } from "./tls_session.ts";

/**
 * Records in one read. A record costs 3 us however little it carries, and a peer may send records of one byte. Sixteen
 * full records fill 256 KiB.
 */
const RECORDS_PER_READ = 32;
/** A read of less than half of OpenSSL's read-ahead buffer has emptied the socket. */
const SHORT_READ = 32768;

/** See {@link TlsSession}. */
export class OpenSslSession implements TlsSession {
  readonly #native: NativeTlsSession;
  remainder: Remainder = "more";
  wireBytes = 0;
  isFlushed: boolean;

  constructor(native: NativeTlsSession) {
    this.#native = native;
    this.isFlushed = native.flush();
  }

  get failure(): TlsFailure | null {
    return this.#native.failure;
  }

  read(into: Uint8Array, now: Millis, mayStop: boolean): number {
    const native = this.#native;
    // While OpenSSL has part of a record, it reads only the rest of that record: then a short read proves nothing.
    const clean = mayStop && !native.hasPending();
    const before = native.bytesFromSocket();
    this.remainder = "more";
    let filled = 0, result = 0;
    // When records are left, the next read comes after other sockets were served.
    for (let records = RECORDS_PER_READ; records > 0; records--) {
      result = native.read(filled === 0 ? into : into.subarray(filled), now);
      if (result <= 0) {
        if (result === WOULD_BLOCK) this.remainder = "nothing";
        else if (result === CLOSED_BY_PEER) this.remainder = "end";
        break;
      }
      filled += result;
      if (clean && !native.hasPending() && this.#readSince(before) < SHORT_READ) {
        this.remainder = "nothing";
        break;
      }
      if (into.length - filled < MOST_DATA) break;
    }
    this.wireBytes = this.#readSince(before);
    // Data is returned first: the next read finds the session as broken as it is now.
    return filled === 0 && result === BROKEN ? BROKEN : filled;
  }

  write(bytes: Uint8Array): number {
    const taken = this.#native.write(bytes);
    if (taken === BROKEN || taken === WOULD_BLOCK) return taken;
    this.flush();
    return taken;
  }

  flush(): boolean {
    return this.isFlushed = this.#native.flush();
  }

  sendCloseNotify(): boolean {
    return this.isFlushed = this.#native.sendCloseNotify();
  }

  free(): void {
    this.#native.free();
  }

  #readSince(before: number): number {
    return (this.#native.bytesFromSocket() - before) >>> 0;
  }
}
