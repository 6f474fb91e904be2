/** The TLS library works in memory here: this moves the bytes between its session and what carries them. */
import type { TlsFailure } from "../os/tls_failure.ts";
import type { NativeTlsSession } from "../os/tls_native_session.ts";
import type { RecordCarrier } from "./record_carrier.ts";
import { BROKEN } from "./tls_session.ts";

/** Memory for bytes on their way, used within one call. A layer within another one needs its own. */
interface LayerMemory {
  readonly input: Uint8Array;
  readonly output: Uint8Array;
}

/** Made once for all layers over the same kind of carrier. */
export function layerMemory(): LayerMemory {
  return { input: new Uint8Array(32_768), output: new Uint8Array(32_768) };
}

/**
 * An honest handshake needs one. A peer may send a message of 100 KB in records of one byte, which take half a microsecond
 * each.
 */
const PULLS_PER_STEP = 2;
const NOTHING = new Uint8Array(0);

/** A session in memory, as far as a layer and what reads and writes through it need it. */
export type MemorySession = Pick<
  NativeTlsSession,
  | "failure"
  | "isFreed"
  | "handshake"
  | "feed"
  | "feedEnd"
  | "drain"
  | "takeUnread"
  | "read"
  | "write"
  | "sendCloseNotify"
  | "bytesFromSocket"
  | "free"
>;

/** For the handshake, and for records that the library protects. The caller owns the session and the carrier. */
export class TlsLayer {
  /** Encrypted bytes that the carrier has not taken yet. */
  #rest: Uint8Array | null = null;
  #endFed = false;

  readonly carrier: RecordCarrier;
  readonly session: MemorySession;
  readonly #memory: LayerMemory;

  constructor(carrier: RecordCarrier, session: MemorySession, memory: LayerMemory) {
    this.carrier = carrier;
    this.session = session;
    this.#memory = memory;
  }

  /** Why the session has failed, or what carries it. */
  get failure(): TlsFailure | null {
    return this.session.failure ?? this.carrier.failure;
  }

  /**
   * Continues the handshake as far as the carrier allows, for some portions of it. "again": call it again when there are
   * more bytes; "more": there may be more already, and other work comes first. As `NativeTlsSession.handshake`: the
   * verifier may free the session meanwhile, which is a failure without a reason.
   */
  handshake(): "done" | "again" | "more" | "failed" {
    for (let pulls = PULLS_PER_STEP;; pulls--) {
      const state = this.session.handshake();
      if (this.session.isFreed || this.push() === "failed") return "failed";
      if (state !== "again") return state;
      if (pulls === 0) return "more";
      if (!this.pull()) return this.carrier.failure === null ? "again" : "failed";
    }
  }

  /** Moves bytes from the carrier to the session. False: there were none, or the carrier has failed. */
  pull(): boolean {
    const { carrier } = this, { input } = this.#memory;
    const count = carrier.failure === null ? carrier.read(input, input.length) : BROKEN;
    if (count === BROKEN) return carrier.failure?.kind === "eof" && this.#feedEnd();
    if (count > 0) this.session.feed(input.subarray(0, count));
    return count > 0;
  }

  /** Moves bytes for the peer from the session to the carrier. */
  push(): "done" | "blocked" | "failed" {
    if (this.#rest !== null) {
      const taken = this.carrier.write(this.#rest, this.#rest.length);
      if (taken === BROKEN) return "failed";
      this.#rest = taken < this.#rest.length ? this.#rest.subarray(taken) : null;
      if (this.#rest !== null) return "blocked";
    }
    const { output } = this.#memory;
    for (let count = this.session.drain(output); count > 0; count = this.session.drain(output)) {
      const taken = this.carrier.write(output, count);
      if (taken === BROKEN) return "failed";
      if (taken === count) continue;
      this.#rest = output.slice(taken, count);
      return "blocked";
    }
    return "done";
  }

  /** Removes what the session has not read and what the carrier has not taken, for whoever continues without it. */
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
