/**
 * OpenSSL over any stream, such as for the handshake of the inner TLS of double HBONE (`docs/spec/dataplane.md` 1.6), or
 * over a socket to which the TLS library cannot write itself.
 */
import type { NativeTlsSession } from "../os/tls_native_session.ts";
import { type Duplex, FAILED } from "./duplex.ts";

/** Used within one call each. */
const input = new Uint8Array(32_768);
const output = new Uint8Array(32_768);
const NOTHING = new Uint8Array(0);

/** Moves bytes between a stream and a session in memory, for the handshake and for the records of OpenSSL. */
export class TlsLayer {
  /** Encrypted bytes that the stream has not taken yet. */
  #rest: Uint8Array | null = null;
  #endFed = false;

  readonly plain: Duplex;
  readonly session: NativeTlsSession;

  constructor(plain: Duplex, session: NativeTlsSession) {
    this.plain = plain;
    this.session = session;
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

  /** Removes what the session has not read and what the stream has not taken, for whoever continues without it. */
  takeRest(): { readonly received: Uint8Array; readonly unsent: Uint8Array } {
    const unsent = this.#rest ?? NOTHING;
    this.#rest = null;
    return { received: this.session.takeUnread(), unsent };
  }

  /** True for the first call: the session then finds the end. */
  #feedEnd(): boolean {
    if (this.#endFed) return false;
    this.#endFed = true;
    this.session.feedEnd();
    return true;
  }
}
