/**
 * TLS on top of any stream, such as the inner TLS of double HBONE (`docs/spec/dataplane.md` 1.6), or a socket that the
 * TLS library cannot write to itself: moves bytes between the stream and a session in memory. Handshake and secured
 * stream share it.
 */
import type { NativeTlsSession } from "../os/tls_native_session.ts";
import { type Duplex, FAILED } from "./duplex.ts";

/** Used within one call each; what streams lend and borrow is copied there. */
const input = new Uint8Array(32_768);
const output = new Uint8Array(32_768);

export class TlsLayer {
  /** Bytes that OpenSSL has given and the stream has not taken yet. */
  #rest: Uint8Array | null = null;
  #endFed = false;

  /** `close`: of `plain`, once nothing is left to be said; `reset` as for {@link Duplex.close}. */
  constructor(
    readonly plain: Duplex,
    readonly session: NativeTlsSession,
    readonly close: (reset: boolean) => void,
  ) {}

  /** Moves what there is of the stream into the session. False: there was nothing new, or the stream failed. */
  pull(): boolean {
    const { plain } = this;
    if (plain.ended) return this.#feedEnd();
    const count = plain.read(input);
    if (count > 0) this.session.feed(input.subarray(0, count));
    return count > 0 || (count !== FAILED && plain.ended && this.#feedEnd());
  }

  /** Moves what the session has for the peer into the stream. */
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

  /** True once: the session then finds the end. */
  #feedEnd(): boolean {
    if (this.#endFed) return false;
    this.#endFed = true;
    this.session.feedEnd();
    return true;
  }
}
