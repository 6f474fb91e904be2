/** The handshake over another stream, which becomes a {@link LayeredTlsDuplex}, within a time limit. */
import type { Millis, Timer } from "./clock.ts";
import type { NativeTlsSession } from "../os/tls_native_session.ts";
import type { Duplex, DuplexSink, Ending } from "./duplex.ts";
import { type HandshakeLoop, HandshakeTurns } from "./handshake_queue.ts";
import { LibrarySession } from "./library_session.ts";
import type { Handshake, Scheduler, SecureEvents } from "./network.ts";
import { StreamCarrier } from "./record_carrier.ts";
import { RecordSession } from "./record_session.ts";
import type { SocketLoop } from "./socket_loop.ts";
import { HANDSHAKE_TIMEOUT } from "./tls_endings.ts";
import type { OpenSslContext } from "./tls_engine.ts";
import { handToUser, TlsPeerCheck } from "./tls_peer_check.ts";
import type { TlsRole } from "../os/tls_settings.ts";
import { layerMemory, TlsLayer } from "./tls_layer.ts";
import { LayeredTlsDuplex } from "./tls_layered_duplex.ts";
import type { TlsSession } from "./tls_session.ts";

/** Handshakes share the turns of the loop, so that many that begin at once do not delay everything else. */
type LoopWithHandshakes = Scheduler & HandshakeLoop & Pick<SocketLoop, "layeredRecords">;

/** Bytes of the records that are made at once. Each of the four fills a DATA frame of the default size. */
const UNIT = 4 * 16_384;
const MEMORY = layerMemory();

/** A handshake in progress. */
export class LayeredTlsHandshake implements Handshake, DuplexSink {
  readonly #loop: LoopWithHandshakes;
  readonly #peerCheck: TlsPeerCheck;
  readonly #role: TlsRole;
  readonly #plain: Duplex;
  readonly #session: NativeTlsSession;
  readonly #carrier: StreamCarrier;
  readonly #layer: TlsLayer;
  readonly #events: SecureEvents;
  #timer: Timer;
  readonly #turns: HandshakeTurns;

  /** Throws `TlsSettingsError`; the caller still owns the stream then. */
  constructor(
    loop: LoopWithHandshakes,
    plain: Duplex,
    context: OpenSslContext,
    role: TlsRole,
    timeout: Millis,
    events: SecureEvents,
  ) {
    this.#loop = loop;
    this.#events = events;
    this.#role = role;
    this.#plain = plain;
    this.#peerCheck = new TlsPeerCheck(context, role, events);
    this.#session = context.native.newMemorySession(role, (chain) => this.#peerCheck.accept(chain));
    this.#carrier = new StreamCarrier(plain);
    this.#layer = new TlsLayer(this.#carrier, this.#session, MEMORY);
    this.#timer = loop.after(timeout, () => this.#timedOut());
    this.#turns = new HandshakeTurns(loop, { role, own: plain.local.ip, peer: plain.remote.ip }, () => this.#step());
    plain.start(this);
    this.#turns.add();
  }

  onReadable(): void {
    this.#turns.take();
  }

  onWritable(): void {
    this.#turns.take();
  }

  onFailure(ending: Ending): void {
    this.#fail(ending);
  }

  get peerSince(): Millis | null {
    return this.#turns.peerSince;
  }

  abort(): void {
    if (!this.#finish("failed")) return;
    this.#session.free();
    this.#plain.close();
  }

  #step(): void {
    if (this.#turns.isOver) return;
    const state = this.#layer.handshake();
    // The verifier may have aborted this handshake meanwhile.
    if (this.#turns.isOver || state === "again") return;
    if (state === "done") return this.#succeed();
    if (state === "more") return this.#turns.add();
    const { failure } = this.#layer;
    // The stream below says more about its own failures than the session, which only finds an end.
    const isBelow = failure === null || failure.kind === "eof";
    this.#fail(isBelow && this.#plain.failure !== null ? this.#plain.failure : this.#peerCheck.ending(failure));
  }

  #succeed(): void {
    const negotiated = this.#session.negotiated();
    const problem = this.#peerCheck.problem(this.#session.alpn(), negotiated.cipher);
    if (problem !== null) return this.#fail(problem);
    this.#finish("completed");
    const peer = { chain: this.#session.peerChain, ...negotiated };
    handToUser(
      this.#events,
      new LayeredTlsDuplex(this.#loop, this.#plain, this.#records(negotiated.cipher)),
      peer,
    );
  }

  /** The library's session is freed where we protect the records. */
  #records(cipher: string): TlsSession {
    const ciphers = this.#session.takeRecordCiphers(cipher);
    if (ciphers === null) return new LibrarySession(this.#layer);
    const rest = this.#layer.takeRest();
    this.#session.free();
    const unit = this.#plain.writeUnit > 1 ? this.#plain.writeUnit : UNIT;
    return new RecordSession(this.#carrier, ciphers, this.#role, unit, this.#loop.layeredRecords, rest);
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
