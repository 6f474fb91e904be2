/** The handshake on a socket: from a connected TCP stream to a {@link TlsDuplex}, within a time limit. */
import type { Millis, Timer } from "./clock.ts";
import * as c from "../os/constants.ts";
import { getOption, setOption } from "../os/socket.ts";
import { TlsSettingsError } from "../os/tls_settings.ts";
import type { NativeTlsContext } from "../os/tls_native_context.ts";
import type { AcceptPath, NativeTlsSession } from "../os/tls_native_session.ts";
import type { Ending } from "./duplex.ts";
import { closeLingering } from "./lingering_close.ts";
import { HandshakeTurns } from "./handshake_queue.ts";
import type { Handshake, SecureEvents } from "./network.ts";
import type { FdHandler, SocketLoop } from "./socket_loop.ts";
import type { TcpDuplex } from "./tcp_duplex.ts";
import { LibrarySession } from "./library_session.ts";
import { OpenSslSession } from "./openssl_session.ts";
import { SocketCarrier } from "./record_carrier.ts";
import { RecordSession } from "./record_session.ts";
import type { TlsSession } from "./tls_session.ts";
import { TlsDuplex } from "./tls_duplex.ts";
import { HANDSHAKE_TIMEOUT } from "./tls_endings.ts";
import type { OpenSslContext } from "./tls_engine.ts";
import { layerMemory, TlsLayer } from "./tls_layer.ts";
import { handToUser, TlsPeerCheck } from "./tls_peer_check.ts";
import type { TlsRole } from "../os/tls_settings.ts";

/** Bytes of the largest packet that the kernel divides into segments. */
const OFFLOAD_LIMIT = 65535;
const DEFAULT_MSS = 1448;
const MEMORY = layerMemory();

/** The library's session. `layer`: null where the library reads and writes the socket itself. */
interface SocketSession {
  readonly native: NativeTlsSession;
  readonly layer: TlsLayer | null;
}

/** A handshake in progress. */
export class TlsHandshake implements Handshake, FdHandler {
  readonly #loop: SocketLoop;
  readonly #tcp: TcpDuplex;
  readonly #role: TlsRole;
  readonly #unit: number;
  readonly #newSession: () => SocketSession;
  /**
   * 12 KB with AWS-LC, 44 KB with OpenSSL. A server makes it when its client has sent something, so that silent clients
   * do not cost that much.
   */
  #session: SocketSession | null = null;
  readonly #events: SecureEvents;
  #timer: Timer;
  readonly #peerCheck: TlsPeerCheck;
  readonly #turns: HandshakeTurns;

  /** Throws `TlsSettingsError` in the role of a client; the caller still owns the stream then. */
  constructor(
    loop: SocketLoop,
    tcp: TcpDuplex,
    context: OpenSslContext,
    role: TlsRole,
    timeout: Millis,
    events: SecureEvents,
  ) {
    this.#loop = loop;
    this.#tcp = tcp;
    this.#events = events;
    this.#role = role;
    this.#unit = offloadUnit(tcp.fd);
    this.#peerCheck = new TlsPeerCheck(context, role, events);
    this.#newSession = () =>
      newSession(context.native, tcp.fd, role, this.#unit, (chain) => this.#peerCheck.accept(chain));
    if (role === "client") {
      this.#session = this.#newSession();
      // Accepted sockets inherit it from their listener.
      setOption(tcp.fd, c.SOL_TCP, c.TCP_NODELAY, 1);
    }
    this.#timer = loop.after(timeout, () => this.#timedOut());
    // The local address is logged, too, and can be read only before the descriptor is closed.
    this.#turns = new HandshakeTurns(loop, { role, own: tcp.local.ip, peer: tcp.remote.ip }, () => this.#step());
    const announced = tcp.handOver(this);
    if (!announced || role === "client") this.#turns.add();
  }

  onEvents(flags: number): void {
    if (this.#session === null && flags === c.EPOLLOUT) return;
    this.#turns.take();
  }

  get peerSince(): Millis | null {
    return this.#turns.peerSince;
  }

  abort(): void {
    if (!this.#finish("failed")) return;
    this.#session?.native.free();
    this.#loop.release(this.#tcp.fd);
  }

  #step(): void {
    if (this.#turns.isOver) return;
    const session = this.#session ??= this.#begin();
    if (session === null) return;
    const state = (session.layer ?? session.native).handshake();
    // The verifier may have aborted this handshake meanwhile.
    if (this.#turns.isOver) return;
    switch (state) {
      case "done":
        return this.#succeed(session);
      case "again":
        return;
      case "more":
        return this.#turns.add();
      case "failed":
        return this.#onFailed(session);
      default:
        state satisfies never;
    }
  }

  /** Null: it failed, and the handshake is over. */
  #begin(): SocketSession | null {
    try {
      return this.#newSession();
    } catch (error) {
      if (!(error instanceof TlsSettingsError)) throw error;
      this.#fail({ by: "us", how: "error", code: "TLS_SETTINGS", message: error.message });
      return null;
    }
  }

  #succeed(session: SocketSession): void {
    const { native } = session;
    const negotiated = native.negotiated();
    const problem = this.#peerCheck.problem(native.alpn(), negotiated.cipher);
    if (problem !== null) return this.#failAfterAlert(problem);
    this.#finish("completed");
    const { local, remote, fd } = this.#tcp;
    const chain = native.peerChain;
    const duplex = new TlsDuplex(
      this.#loop,
      this.#recordsOf(session, negotiated.cipher),
      { fd, local, remote },
      this.#unit,
    );
    handToUser(this.#events, duplex, { chain, ...negotiated });
  }

  /** Takes over `session`, which is freed where we protect the records: that saves 13 KB a connection. */
  #recordsOf({ native, layer }: SocketSession, cipher: string): TlsSession {
    if (layer === null) return new OpenSslSession(native);
    const ciphers = native.takeRecordCiphers(cipher);
    if (ciphers === null) return new LibrarySession(layer);
    const rest = layer.takeRest();
    native.free();
    return new RecordSession(layer.carrier, ciphers, this.#role, this.#unit, this.#loop.records, rest);
  }

  #onFailed({ native, layer }: SocketSession): void {
    const failure = layer === null ? native.failure : layer.failure;
    const ending = this.#peerCheck.ending(failure);
    const alertSent = failure === null || !["alert", "eof", "system"].includes(failure.kind);
    if (alertSent) this.#failAfterAlert(ending);
    else this.#fail(ending);
  }

  /** The library has sent an alert. The socket is closed so that the peer can read it. */
  #failAfterAlert(ending: Ending): void {
    if (!this.#finish("failed")) return;
    this.#session?.native.free();
    closeLingering(this.#loop, this.#tcp.fd);
    this.#events.onSecureFailure(ending);
  }

  /** The limit is for the peer: the time in which the peer waited for us is added. */
  #timedOut(): void {
    const ours = this.#turns.takeQueuedTime();
    if (ours > 0) this.#timer = this.#loop.after(ours, () => this.#timedOut());
    else this.#fail(HANDSHAKE_TIMEOUT);
  }

  #fail(ending: Ending): void {
    if (this.#turns.isOver) return;
    this.abort();
    this.#events.onSecureFailure(ending);
  }

  /** False: the handshake was over already. */
  #finish(outcome: "completed" | "failed"): boolean {
    if (!this.#turns.end(outcome)) return false;
    this.#timer.cancel();
    return true;
  }
}

function newSession(
  context: NativeTlsContext,
  fd: number,
  role: TlsRole,
  unit: number,
  accept: AcceptPath,
): SocketSession {
  if (context.usesSockets) return { native: context.newSession(fd, role, unit, accept), layer: null };
  const native = context.newMemorySession(role, accept);
  return { native, layer: new TlsLayer(new SocketCarrier(fd), native, MEMORY) };
}

/** Bytes of the whole segments in one offloaded packet (`docs/spec/dataplane-speed.md` 2). */
function offloadUnit(fd: number): number {
  const mss = getOption(fd, c.SOL_TCP, c.TCP_MAXSEG) || DEFAULT_MSS;
  return Math.max(1, Math.floor(OFFLOAD_LIMIT / mss)) * Math.min(mss, OFFLOAD_LIMIT);
}
