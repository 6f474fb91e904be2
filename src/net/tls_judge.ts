/** What a handshake thinks of its peer, and how it puts a failure; the same over a socket and over another stream. */
import type { TlsFailure } from "../os/tls_failure.ts";
import type { PathRefusal } from "../os/tls_native_session.ts";
import type { Duplex, Ending } from "./duplex.ts";
import { CALLBACK_FAILED } from "./endings.ts";
import type { SecureEvents } from "./network.ts";
import { type PeerRefusal, REVOKED, type TlsPeer } from "./tls_context.ts";
import { handshakeEnding } from "./tls_endings.ts";
import type { OpenSslContext } from "./tls_engine.ts";

export type TlsRole = "client" | "server";

export class TlsJudge {
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

  /** Asks whoever has an expectation about a verified path; null accepts. */
  accept(chain: readonly Uint8Array[]): PathRefusal | null {
    const peerRole = this.#role === "client" ? "server" : "client";
    this.#refusal = this.#events.accept === undefined
      ? this.#context.settings.accept(chain, peerRole)
      : this.#events.accept(chain);
    if (this.#refusal === null) return null;
    return { text: this.#refusal.message, revoked: this.#refusal.code === REVOKED };
  }

  /**
   * What is left to be checked once OpenSSL is content. A list without h2, and as a rule a client without any list, was
   * refused before, with an alert (`docs/spec/dataplane.md` 2.1).
   */
  problem(protocol: string, cipher: string): Ending | null {
    const text = protocolProblem(protocol) ?? this.#cipherProblem(cipher);
    return text === null ? null : handshakeEnding({ kind: "protocol", text });
  }

  /** Not every library can be told which suites of TLS 1.3 to take. */
  #cipherProblem(cipher: string): string | null {
    return this.#context.native.allowsCipher(cipher) ? null : `${cipher} was negotiated, which the TLS policy forbids`;
  }

  /** The refusal as it was given, rather than as OpenSSL tells it. */
  ending(failure: TlsFailure | null): Ending {
    if (failure === null) return handshakeEnding({ kind: "protocol", text: "handshake failed" });
    if (failure.kind === "certificate") {
      return handshakeEnding({ ...failure, text: `${failure.text}${this.#events.explain?.(failure.leaf) ?? ""}` });
    }
    if (failure.kind !== "refused" || this.#refusal === null) return handshakeEnding(failure);
    return { by: "us", how: "error", code: this.#refusal.code, message: this.#refusal.message };
  }
}

/** Ends a successful handshake. If `onSecure` throws, its user has not taken the stream: it is closed and notified. */
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
