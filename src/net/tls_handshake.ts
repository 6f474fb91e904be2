/** The handshake: from a connected TCP stream to a {@link TlsDuplex}, within a time limit. */
import * as c from "../os/constants.ts";
import { getOption, setOption } from "../os/socket.ts";
import type { NativeTlsSession } from "../os/tls_native.ts";
import type { Duplex, Ending } from "./duplex.ts";
import type { Dial, Millis, SecureEvents, Timer } from "./network.ts";
import type { FdHandler, Reactor } from "./reactor.ts";
import { TcpDuplex } from "./tcp_duplex.ts";
import { OpenSslContext } from "./tls_engine.ts";
import { TlsDuplex } from "./tls_duplex.ts";
import type { TlsContext } from "./tls_context.ts";

/** Largest packet the kernel cuts into segments by itself. */
const OFFLOAD_LIMIT = 65535;
const DEFAULT_MSS = 1448;

/** Implements `Network.secure` for the reactor. */
export function secureTcp(
  reactor: Reactor,
  plain: Duplex,
  context: TlsContext,
  role: "client" | "server",
  timeout: Millis,
  events: SecureEvents,
): Dial {
  if (!(plain instanceof TcpDuplex) || !(context instanceof OpenSslContext)) {
    throw new TypeError("TLS on the reactor needs a TCP stream and an OpenSSL context");
  }
  return new TlsHandshake(reactor, plain, context, role, timeout, events);
}

class TlsHandshake implements Dial, FdHandler {
  readonly #reactor: Reactor;
  readonly #tcp: TcpDuplex;
  readonly #unit: number;
  readonly #session: NativeTlsSession;
  readonly #events: SecureEvents;
  readonly #timer: Timer;
  #done = false;

  constructor(
    reactor: Reactor,
    tcp: TcpDuplex,
    context: OpenSslContext,
    role: "client" | "server",
    timeout: Millis,
    events: SecureEvents,
  ) {
    this.#reactor = reactor;
    this.#tcp = tcp;
    this.#events = events;
    this.#unit = offloadUnit(tcp.fd);
    // Accepted sockets have it from their listener.
    if (role === "client") setOption(tcp.fd, c.SOL_TCP, c.TCP_NODELAY, 1);
    this.#session = context.native.newSession(tcp.fd, role, this.#unit, (chain) => {
      const refusal = events.accept === undefined
        ? context.settings.accept(chain, role === "client" ? "server" : "client")
        : events.accept(chain);
      return refusal === null ? null : refusal.message;
    });
    this.#timer = reactor.after(timeout, () => this.#fail(HANDSHAKE_TIMEOUT));
    // The local address is wanted for the log and must be asked for while the descriptor is ours for sure.
    void tcp.local;
    const watching = tcp.handOver(this);
    if (!watching || role === "client") reactor.nextTurn({ runTurn: () => this.#step() });
  }

  onEvents(): void {
    this.#step();
  }

  abort(): void {
    if (this.#done) return;
    this.#done = true;
    this.#timer.cancel();
    this.#session.free();
    this.#reactor.release(this.#tcp.fd);
  }

  #step(): void {
    if (this.#done) return;
    const state = this.#session.handshake();
    if (state === "again") return;
    if (state === "failed") this.#fail(failure(this.#session.error || "handshake failed"));
    else if (!this.#session.alpnIsH2()) this.#fail(failure("the peer did not offer ALPN h2"));
    else this.#succeed();
  }

  #succeed(): void {
    this.#done = true;
    this.#timer.cancel();
    const { local, remote, fd } = this.#tcp;
    const duplex = new TlsDuplex(this.#reactor, this.#session, { fd, local, remote }, this.#unit);
    this.#events.onSecure(duplex, { chain: this.#session.peerChain, ...this.#session.negotiated() });
  }

  #fail(ending: Ending): void {
    if (this.#done) return;
    this.abort();
    this.#events.onSecureFailure(ending);
  }
}

const HANDSHAKE_TIMEOUT: Ending = {
  by: "us",
  how: "timeout",
  code: "TLS_TIMEOUT",
  message: "the peer did not finish the TLS handshake in time",
};

function failure(message: string): Ending {
  return { by: "peer", how: "error", code: "TLS_HANDSHAKE", message };
}

/** Whole segments in one offloaded packet: `docs/spec/dataplane-speed.md` 2. */
function offloadUnit(fd: number): number {
  const mss = getOption(fd, c.SOL_TCP, c.TCP_MAXSEG) || DEFAULT_MSS;
  return Math.max(1, Math.floor(OFFLOAD_LIMIT / mss)) * Math.min(mss, OFFLOAD_LIMIT);
}
