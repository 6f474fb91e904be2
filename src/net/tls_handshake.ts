/** The handshake: from a connected TCP stream to a {@link TlsDuplex}, within a time limit. */
import * as c from "../os/constants.ts";
import { getOption, setOption } from "../os/socket.ts";
import type { TlsFailure } from "../os/tls_failure.ts";
import { TlsSettingsError } from "../os/tls_native_context.ts";
import type { NativeTlsSession } from "../os/tls_native_session.ts";
import type { Duplex, Ending } from "./duplex.ts";
import { closeAfterLastWords } from "./last_words.ts";
import type { Dial, Millis, SecureEvents, Timer } from "./network.ts";
import type { FdHandler, Reactor } from "./reactor.ts";
import { TcpDuplex } from "./tcp_duplex.ts";
import type { PeerRefusal, TlsContext } from "./tls_context.ts";
import { TlsDuplex } from "./tls_duplex.ts";
import { HANDSHAKE_TIMEOUT, handshakeEnding } from "./tls_endings.ts";
import { OpenSslContext } from "./tls_engine.ts";

type Role = "client" | "server";

/** Largest packet the kernel cuts into segments by itself. */
const OFFLOAD_LIMIT = 65535;
const DEFAULT_MSS = 1448;

/** Implements `Network.secure` for the reactor. */
export function secureTcp(
  reactor: Reactor,
  plain: Duplex,
  context: TlsContext,
  role: Role,
  timeout: Millis,
  events: SecureEvents,
): Dial {
  if (!(plain instanceof TcpDuplex) || !(context instanceof OpenSslContext)) {
    throw new TypeError("TLS on the reactor needs a TCP stream and an OpenSSL context");
  }
  if (plain.failure !== null) return failSoon(reactor, plain.failure, events);
  try {
    return new TlsHandshake(reactor, plain, context, role, timeout, events);
  } catch (error) {
    if (!(error instanceof TlsSettingsError)) throw error;
    plain.close();
    return failSoon(reactor, { by: "us", how: "error", code: "TLS_SETTINGS", message: error.message }, events);
  }
}

/** No event comes from inside `secure`. */
function failSoon(reactor: Reactor, ending: Ending, events: SecureEvents): Dial {
  let aborted = false;
  reactor.nextTurn({ runTurn: () => aborted || events.onSecureFailure(ending) });
  return { abort: () => void (aborted = true) };
}

class TlsHandshake implements Dial, FdHandler {
  readonly #reactor: Reactor;
  readonly #tcp: TcpDuplex;
  readonly #unit: number;
  readonly #session: NativeTlsSession;
  readonly #events: SecureEvents;
  readonly #timer: Timer;
  #refusal: PeerRefusal | null = null;
  #done = false;

  constructor(
    reactor: Reactor,
    tcp: TcpDuplex,
    context: OpenSslContext,
    role: Role,
    timeout: Millis,
    events: SecureEvents,
  ) {
    this.#reactor = reactor;
    this.#tcp = tcp;
    this.#events = events;
    this.#unit = offloadUnit(tcp.fd);
    const peerRole = role === "client" ? "server" : "client";
    this.#session = context.native.newSession(tcp.fd, role, this.#unit, (chain) => {
      this.#refusal = events.accept === undefined ? context.settings.accept(chain, peerRole) : events.accept(chain);
      return this.#refusal === null ? null : this.#refusal.message;
    });
    // Accepted sockets have it from their listener.
    if (role === "client") setOption(tcp.fd, c.SOL_TCP, c.TCP_NODELAY, 1);
    this.#timer = reactor.after(timeout, () => this.#giveUp(HANDSHAKE_TIMEOUT));
    // The local address is wanted for the log and must be asked for while the descriptor is ours for sure.
    void tcp.local;
    const announced = tcp.handOver(this);
    if (!announced || role === "client") reactor.nextTurn({ runTurn: () => this.#step() });
  }

  onEvents(): void {
    this.#step();
  }

  abort(): void {
    if (!this.#finish()) return;
    this.#session.free();
    this.#reactor.release(this.#tcp.fd);
  }

  #step(): void {
    if (this.#done) return;
    const state = this.#session.handshake();
    // The verifier may have aborted us meanwhile.
    if (this.#done) return;
    switch (state) {
      case "done":
        return this.#succeed();
      case "again":
        return;
      case "failed":
        return this.#failed(this.#session.failure ?? { kind: "protocol", text: "handshake failed" });
      default:
        state satisfies never;
    }
  }

  #succeed(): void {
    const protocol = this.#session.alpn();
    // A peer without ALPN is let in, as upstream does (dataplane 2.1). A list without h2 was refused with an alert.
    if (protocol !== "" && protocol !== "h2") {
      return this.#failed({ kind: "protocol", text: "the peer chose an application protocol that was not offered" });
    }
    this.#finish();
    const { local, remote, fd } = this.#tcp;
    const duplex = new TlsDuplex(this.#reactor, this.#session, { fd, local, remote }, this.#unit);
    this.#events.onSecure(duplex, { chain: this.#session.peerChain, ...this.#session.negotiated() });
  }

  #failed(failure: TlsFailure): void {
    const refusal = failure.kind === "refused" ? this.#refusal : null;
    if (refusal !== null) return this.#speakAndGiveUp({ by: "us", how: "error", ...codeAndMessage(refusal) });
    const ending = handshakeEnding(failure);
    if (failure.kind === "alert" || failure.kind === "eof" || failure.kind === "system") this.#giveUp(ending);
    else this.#speakAndGiveUp(ending);
  }

  /** OpenSSL has sent an alert: let it arrive. */
  #speakAndGiveUp(ending: Ending): void {
    if (!this.#finish()) return;
    this.#session.free();
    closeAfterLastWords(this.#reactor, this.#tcp.fd);
    this.#events.onSecureFailure(ending);
  }

  #giveUp(ending: Ending): void {
    if (this.#done) return;
    this.abort();
    this.#events.onSecureFailure(ending);
  }

  /** False when it was over before. */
  #finish(): boolean {
    if (this.#done) return false;
    this.#done = true;
    this.#timer.cancel();
    return true;
  }
}

function codeAndMessage({ code, message }: PeerRefusal): PeerRefusal {
  return { code, message };
}

/** Whole segments in one offloaded packet: `docs/spec/dataplane-speed.md` 2. */
function offloadUnit(fd: number): number {
  const mss = getOption(fd, c.SOL_TCP, c.TCP_MAXSEG) || DEFAULT_MSS;
  return Math.max(1, Math.floor(OFFLOAD_LIMIT / mss)) * Math.min(mss, OFFLOAD_LIMIT);
}
