/** What a handshake thinks of its peer, and how it puts a failure; the same over a socket and over another stream. */
import type { TlsFailure } from "../os/tls_failure.ts";
import type { Ending } from "./duplex.ts";
import type { SecureEvents } from "./network.ts";
import type { PeerRefusal } from "./tls_context.ts";
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
  accept(chain: readonly Uint8Array[]): string | null {
    const peerRole = this.#role === "client" ? "server" : "client";
    this.#refusal = this.#events.accept === undefined
      ? this.#context.settings.accept(chain, peerRole)
      : this.#events.accept(chain);
    return this.#refusal === null ? null : this.#refusal.message;
  }

  /**
   * Both sides must have agreed on h2 (`docs/spec/dataplane.md` 2.1). As a server we have refused a client without ALPN,
   * or without h2 in its list, with an alert; here it is the server that does not know ALPN.
   */
  protocolProblem(protocol: string): Ending | null {
    if (protocol === "h2") return null;
    const text = protocol === ""
      ? "the server agrees to no application protocol (ALPN), h2 is required"
      : "the peer chose an application protocol that was not offered";
    return handshakeEnding({ kind: "protocol", text });
  }

  /** The refusal as it was given, rather than as OpenSSL tells it. */
  ending(failure: TlsFailure | null): Ending {
    if (failure === null) return handshakeEnding({ kind: "protocol", text: "handshake failed" });
    if (failure.kind !== "refused" || this.#refusal === null) return handshakeEnding(failure);
    return { by: "us", how: "error", code: this.#refusal.code, message: this.#refusal.message };
  }
}
