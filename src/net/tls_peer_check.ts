/** Decides whether a handshake accepts its peer, over a socket or over another stream. */
import type { TlsFailure } from "../os/tls_failure.ts";
import type { PathRefusal } from "../os/tls_native_session.ts";
import type { TlsRole } from "../os/tls_settings.ts";
import type { Duplex, Ending } from "./duplex.ts";
import { CALLBACK_FAILED } from "./endings.ts";
import type { SecureEvents } from "./network.ts";
import { type PeerRefusal, REVOKED, type TlsPeer } from "./tls_context.ts";
import { handshakeEnding } from "./tls_endings.ts";
import type { OpenSslContext } from "./tls_engine.ts";

/** The decisions of one handshake. */
export class TlsPeerCheck {
  readonly #context: OpenSslContext;
  readonly #role: TlsRole;
  readonly #events: SecureEvents;
  #refusal: PeerRefusal | null = null;

  /** `role`: ours. */
  constructor(context: OpenSslContext, role: TlsRole, events: SecureEvents) {
    this.#context = context;
    this.#role = role;
    this.#events = events;
  }

  /** Decides on a verified path, by the callback of the connection or of the context. Null accepts it. */
  accept(chain: readonly Uint8Array[]): PathRefusal | null {
    const peerRole = this.#role === "client" ? "server" : "client";
    this.#refusal = this.#events.accept === undefined
      ? this.#context.settings.accept(chain, peerRole)
      : this.#events.accept(chain);
    if (this.#refusal === null) return null;
    return { text: this.#refusal.message, revoked: this.#refusal.code === REVOKED };
  }

  /**
   * Checks what the TLS library has not checked. Null: nothing is wrong. An ALPN list without h2 was refused before,
   * with an alert, and so was a client without a list if the library can do that (`docs/spec/dataplane.md` 2.1).
   */
  problem(protocol: string, cipher: string): Ending | null {
    const text = protocolProblem(protocol) ?? this.#cipherProblem(cipher);
    return text === null ? null : handshakeEnding({ kind: "protocol", text });
  }

  /** Not every library can restrict the cipher suites of TLS 1.3. */
  #cipherProblem(cipher: string): string | null {
    return this.#context.native.allowsCipher(cipher) ? null : `${cipher} was negotiated, which the TLS policy forbids`;
  }

  /** The ending of a failed handshake. A refusal has its own code and text, not those of the TLS library. */
  ending(failure: TlsFailure | null): Ending {
    if (failure === null) return handshakeEnding({ kind: "protocol", text: "handshake failed" });
    if (failure.kind === "certificate") {
      return handshakeEnding({ ...failure, text: `${failure.text}${this.#events.explain?.(failure.leaf) ?? ""}` });
    }
    if (failure.kind !== "refused" || this.#refusal === null) return handshakeEnding(failure);
    return { by: "us", how: "error", code: this.#refusal.code, message: this.#refusal.message };
  }
}

/** Passes the stream of a successful handshake to its user. When `onSecure` throws, it is closed and the user notified. */
export function handToUser(events: SecureEvents, duplex: Duplex, peer: TlsPeer): void {
  try {
    events.onSecure(duplex, peer);
  } catch (error) {
    duplex.close(true);
    events.onSecureFailure(CALLBACK_FAILED);
    throw error;
  }
}

function protocolProblem(protocol: string): string | null {
  if (protocol === "h2") return null;
  return protocol === ""
    ? "the peer agrees to no application protocol (ALPN), h2 is required"
    : "the peer chose an application protocol that was not offered";
}
