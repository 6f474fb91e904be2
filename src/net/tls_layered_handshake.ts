/** The handshake over another stream: from there to a {@link LayeredTlsDuplex}, within a time limit. */
import type { NativeTlsSession } from "../os/tls_native_session.ts";
import type { Duplex, DuplexSink, Ending } from "./duplex.ts";
import type { Dial, Millis, Scheduler, SecureEvents, Timer } from "./network.ts";
import { HANDSHAKE_TIMEOUT } from "./tls_endings.ts";
import type { OpenSslContext } from "./tls_engine.ts";
import { TlsJudge, type TlsRole } from "./tls_judge.ts";
import { TlsLayer } from "./tls_layer.ts";
import { LayeredTlsDuplex } from "./tls_layered_duplex.ts";

export class LayeredTlsHandshake implements Dial, DuplexSink {
  readonly #scheduler: Scheduler;
  readonly #judge: TlsJudge;
  readonly #session: NativeTlsSession;
  readonly #layer: TlsLayer;
  readonly #events: SecureEvents;
  readonly #timer: Timer;
  #done = false;

  /** Throws `TlsSettingsError`; the stream is untouched then. `close`: see {@link TlsLayer}. */
  constructor(
    scheduler: Scheduler,
    plain: Duplex,
    context: OpenSslContext,
    role: TlsRole,
    timeout: Millis,
    events: SecureEvents,
    close: (reset: boolean) => void = (reset) => plain.close(reset),
  ) {
    this.#scheduler = scheduler;
    this.#events = events;
    this.#judge = new TlsJudge(context, role, events);
    this.#session = context.native.newMemorySession(role, (chain) => this.#judge.accept(chain));
    this.#layer = new TlsLayer(plain, this.#session, close);
    this.#timer = scheduler.after(timeout, () => this.#giveUp(HANDSHAKE_TIMEOUT));
    plain.start(this);
    scheduler.nextTurn({ runTurn: () => this.#step() });
  }

  onReadable(): void {
    this.#step();
  }

  onWritable(): void {
    this.#step();
  }

  onFailure(ending: Ending): void {
    this.#giveUp(ending);
  }

  abort(): void {
    if (!this.#finish()) return;
    this.#session.free();
    this.#layer.close(false);
  }

  #step(): void {
    while (!this.#done) {
      const state = this.#session.handshake();
      // The verifier may have aborted us meanwhile.
      if (this.#done) return;
      const pushed = this.#layer.push();
      if (state === "failed") return this.#giveUp(this.#judge.ending(this.#session.failure));
      if (pushed === "failed") return this.#giveUp(this.#layer.plain.failure ?? this.#judge.ending(null));
      if (state === "done") return this.#succeed();
      if (this.#layer.pull()) continue;
      const { failure } = this.#layer.plain;
      return failure === null ? undefined : this.#giveUp(failure);
    }
  }

  #succeed(): void {
    const negotiated = this.#session.negotiated();
    const problem = this.#judge.problem(this.#session.alpn(), negotiated.cipher);
    if (problem !== null) return this.#giveUp(problem);
    this.#finish();
    const peer = { chain: this.#session.peerChain, ...negotiated };
    this.#events.onSecure(new LayeredTlsDuplex(this.#scheduler, this.#layer), peer);
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
