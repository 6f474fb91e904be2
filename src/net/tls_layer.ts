/**
 * TLS over any stream, such as the inner TLS of double HBONE (`docs/spec/dataplane.md` 1.6), or a socket to which the TLS
 * library cannot write itself.
 */
import type { NativeTlsSession } from "../os/tls_native_session.ts";
import { type Duplex, FAILED } from "./duplex.ts";

/** Used within one call each. */
const input = new Uint8Array(32_768);
const output = new Uint8Array(32_768);

/** Moves bytes between a stream and a session in memory. The handshake and the secured stream share it. */
export class TlsLayer {
  /** Encrypted bytes that the stream has not taken yet. */
  #rest: Uint8Array | null = null;
  #endFed = false;

  readonly plain: Duplex;
  readonly session: NativeTlsSession;
  readonly close: (reset: boolean) => void;

  /** `close`: closes `plain` when everything was written; `reset`: as for {@link Duplex.close}. */
  constructor(plain: Duplex, session: NativeTlsSession, close: (reset: boolean) => void) {
    this.plain = plain;
    this.session = session;
    this.close = close;
  }

  /** Moves bytes from the stream to the session. False: there were none, or the stream has failed. */
  pull(): boolean {
    const { plain } = this;
    if (plain.ended) return this.#feedEnd();
    const count = plain.read(input);
    if (count > 0) this.session.feed(input.subarray(0, count));
    return count > 0 || (count !== FAILED && plain.ended && this.#feedEnd());
  }

  /** Moves bytes for the peer from the session to the stream. */
  push(): "done" | "blocked" | "failed" {
    if (this.#rest !== null) {
      const taken = this.plain.write(this.#rest);
      if (taken === FAILED) return "failed";
      this.#rest = taken < this.#rest.length ? this.#rest.subarray(taken) : null;
      if (this.#rest !== null) return "blocked";
    }
    for (let count = this.session.drain(output); count > 0; count = this.session.drain(output)) {
      const taken = this.plain.write(output.subarray(0, count));
      if (taken === FAILED) return "failed";
      if (taken === count) continue;
      this.#rest = output.slice(taken, count);
      return "blocked";
    }
    return "done";
  }

  /** True for the first call: the session then finds the end. */
  #feedEnd(): boolean {
    if (this.#endFed) return false;
    this.#endFed = true;
    this.session.feedEnd();
    return true;
  }
}
