/** One HTTP/2 connection without sockets and clock. README.md of this room shows its parts. */
import type { Millis } from "../net/clock.ts";
import { ControlReceiver } from "./control_receiver.ts";
import { Core, Phase, STREAMS_NOTIFIED_PER_PASS } from "./core.ts";
import { DataReceiver } from "./data_receiver.ts";
import { failure, PING_TIMEOUT } from "./failure.ts";
import { INITIAL_WINDOW } from "./flow.ts";
import { MAX_STREAM_ID } from "./frame.ts";
import { FrameReader } from "./frame_reader.ts";
import { HeaderReceiver } from "./header_receiver.ts";
import { Inbound } from "./inbound.ts";
import { DRAIN_PING, Keepalive, KEEPALIVE_PING } from "./keepalive.ts";
import type { H2Memory } from "./memory.ts";
import {
  type Connection,
  type ConnectionHandler,
  ErrorCode,
  type H2Options,
  type HeaderList,
  type Stream,
  type StreamHandler,
} from "./seam.ts";
import { ownSettings } from "./settings.ts";
import { ShutdownState } from "./shutdown.ts";
import { H2Stream } from "./stream.ts";
import { WaitingFor } from "./wait_queue.ts";

/** Room in the output buffer that `open` requires, in bytes; less means that the peer has not read for long. */
const ROOM_FOR_REQUEST = 32_768;
/** How long a draining server waits for the ACK of its PING. Shorter than usual grace periods. */
const DRAIN_PING_TIMEOUT: Millis = 20_000;

/**
 * Implements {@link Connection}. From inside every call, handlers may call any method of any stream, `open` and
 * `drain`; they must not throw, and must not call `receive`, `flushTo` or `tick`. The constructor calls `onOutput`,
 * since the preface is queued.
 */
export class H2Connection implements Connection {
  readonly role: "client" | "server";
  readonly #core: Core;
  readonly #keepalive: Keepalive;
  readonly #blocks: HeaderReceiver;
  readonly #reader: FrameReader;
  readonly #prefaceBy: Millis;
  /** When an unfinished frame or header block must be complete. */
  #completeBy: Millis = Infinity;
  /** Which one that is: the number of the frame, or the negative stream id of the header block; 0: none. */
  #unfinished = 0;
  /** Received bytes that the last pass has left; at most those of one `receive`. */
  #unprocessed: Uint8Array | null = null;

  constructor(options: H2Options, handler: ConnectionHandler, memory: H2Memory, now: Millis) {
    this.role = options.role;
    const core = this.#core = new Core(options, handler, memory, now);
    this.#keepalive = new Keepalive(options.pingInterval, options.pingTimeout, now);
    this.#blocks = new HeaderReceiver(core);
    const control = new ControlReceiver(core, this.#keepalive);
    this.#reader = new FrameReader(new Inbound(core, new DataReceiver(core), this.#blocks, control), core.isServer);
    this.#prefaceBy = now + options.prefaceTimeout;
    if (!core.isServer) core.writer.preface();
    core.settingsUnacknowledged = 1;
    core.writer.settings(ownSettings(options));
    core.announceCredit(0, core.credit.window.size - INITIAL_WINDOW);
  }

  limitInFlight(bytes: number | null): void {
    this.#core.inFlightLimit = bytes === null ? Infinity : bytes * Math.max(1, this.#core.roundTrip);
  }

  noteRoundTrip(roundTrip: Millis): void {
    this.#core.roundTrip = roundTrip;
  }

  limitGathered(bytes: number | null): void {
    this.#core.gatherLimit = bytes ?? Infinity;
  }

  alignOutput(unit: number): void {
    this.#core.out.unit = unit;
  }

  get streamCount(): number {
    return this.#core.streams.size;
  }

  get canOpen(): boolean {
    const core = this.#core;
    return !core.isServer && !core.ended && !core.hasPendingFailure && !core.shutdown.draining &&
      core.streams.size < core.peer.maxConcurrentStreams && core.nextId <= MAX_STREAM_ID &&
      core.out.room >= ROOM_FOR_REQUEST;
  }

  get draining(): boolean {
    return this.#core.ended || this.#core.shutdown.draining;
  }

  get ended(): boolean {
    return this.#core.ended;
  }

  get hasPendingWork(): boolean {
    return this.#unprocessed !== null || this.#core.isNotifying;
  }

  get mayResetSoon(): boolean {
    return this.#unprocessed !== null && !this.#core.budgets.earlyResets.isFull(this.#core.now);
  }

  receive(bytes: Uint8Array, start: number, end: number, now: Millis): void {
    if (this.#unprocessed !== null) throw new Error("Cannot receive while earlier bytes are left: call resume");
    this.#keepalive.received(now);
    const at = this.#pass(bytes, start, end, now);
    if (at < end && !this.#core.ended) this.#unprocessed = bytes.slice(at, end);
  }

  resume(now: Millis): void {
    if (this.#core.isNotifying) return this.#core.notifyStreams(STREAMS_NOTIFIED_PER_PASS);
    const rest = this.#unprocessed;
    if (rest === null) return;
    const at = this.#pass(rest, 0, rest.length, now);
    this.#unprocessed = at < rest.length && !this.#core.ended ? rest.subarray(at) : null;
  }

  transportFailed(reason: string, byUs = false): void {
    const how = byUs
      ? failure("us", ErrorCode.ENHANCE_YOUR_CALM, reason)
      : failure("transport", ErrorCode.INTERNAL_ERROR, reason);
    this.#core.finish(how, false);
    this.#core.out.clear();
    this.#unprocessed = null;
  }

  transportEnded(reason: string): void {
    this.transportFailed(reason);
    this.#core.notifyStreams(Infinity);
  }

  abandon(reason: string, now: Millis): void {
    this.#core.now = now;
    this.#core.fail(ErrorCode.NO_ERROR, reason);
  }

  open(headers: HeaderList, handler: StreamHandler): Stream | null {
    if (!this.canOpen) return null;
    const core = this.#core;
    const stream = new H2Stream(core, core.nextId);
    core.nextId += 2;
    stream.handler = handler;
    core.streams.set(stream.id, stream);
    stream.sendHeaders(headers, false);
    return stream;
  }

  flushTo(to: { write(bytes: Uint8Array): number }): "empty" | "blocked" | "failed" {
    const core = this.#core;
    for (;;) {
      const result = core.out.flushTo(to);
      if (result !== "empty") return result;
      core.wakeForRoom(); // what streams commit now is sent by this same call
      if (core.out.pending === 0 && core.applyPendingFailure()) core.finishDrain();
      if (core.out.pending > 0) continue;
      core.out.markFlushed();
      return "empty";
    }
  }

  ping(now: Millis): void {
    if (this.#core.ended || this.#keepalive.outstanding) return;
    this.#core.writer.ping(KEEPALIVE_PING, this.#keepalive.sent(now), false);
  }

  /**
   * How many streams have moved at least `least` bytes, in both directions together, since the last call, or wait for
   * the connection's window or for room in the output buffer. Costs time for each stream.
   */
  countBusyStreams(least: number): number {
    let busy = 0;
    for (const stream of this.#core.streams.values()) {
      if (stream.takeMoved() >= least || isWaitingForOthers(stream.waitingFor)) busy++;
    }
    return busy;
  }

  /** How long nothing has been received, in ms. */
  silentFor(now: Millis): Millis {
    return this.#keepalive.silentFor(now);
  }

  /** How long ago a PING was sent since which nothing has been received, in ms; 0: there is none. */
  unansweredFor(now: Millis): Millis {
    return this.#keepalive.unansweredFor(now);
  }

  drain(now: Millis): void {
    const core = this.#core, shutdown = core.shutdown;
    if (core.ended || shutdown.state !== ShutdownState.RUNNING) return;
    core.now = now;
    if (core.isServer) {
      core.writer.goAway(MAX_STREAM_ID, ErrorCode.NO_ERROR, "");
      core.writer.ping(DRAIN_PING, 0, false);
      shutdown.announce(now + DRAIN_PING_TIMEOUT);
      return;
    }
    shutdown.finalise(0);
    core.writer.goAway(0, ErrorCode.NO_ERROR, "");
    core.finishDrain();
  }

  nextDeadline(): Millis | null {
    const core = this.#core;
    if (core.ended) return null;
    if (core.hasPendingFailure) return core.now;
    const ping = core.phase === Phase.OPEN ? this.#keepalive.deadline : this.#prefaceBy;
    return Math.min(ping, this.#completeBy, core.shutdown.pingAnswerBy);
  }

  tick(now: Millis): void {
    const core = this.#core;
    core.now = now;
    if (!core.applyPendingFailure()) return;
    if (core.phase !== Phase.OPEN) {
      if (now >= this.#prefaceBy) this.#failTimeout("no preface and SETTINGS", ErrorCode.SETTINGS_TIMEOUT);
    } else if (this.#keepalive.expired(now)) {
      core.fail(ErrorCode.NO_ERROR, `${PING_TIMEOUT} after ${this.#keepalive.timeout} ms`);
    } else if (this.#keepalive.due(now)) this.ping(now);
    if (now >= this.#completeBy) this.#failTimeout("unfinished frame", ErrorCode.ENHANCE_YOUR_CALM);
    if (!core.ended && now >= core.shutdown.pingAnswerBy) core.finaliseDrain();
    core.finishDrain();
  }

  /** Processes received bytes until the work budget is used up. Returns the offset behind what was processed. */
  #pass(bytes: Uint8Array, start: number, end: number, now: Millis): number {
    const core = this.#core;
    core.now = now;
    core.work = 0;
    if (!core.applyPendingFailure()) return end;
    const at = this.#reader.receive(bytes, start, end);
    core.flushStreams();
    if (core.applyPendingFailure()) core.finishDrain();
    this.#watchUnfinished(now);
    return at;
  }

  #failTimeout(what: string, code: ErrorCode): void {
    this.#core.fail(code, `${what} within ${this.#core.options.prefaceTimeout} ms`);
  }

  /** Limits the time of an unfinished frame or header block: slow attacks leave them unfinished (observed.md O31). */
  #watchUnfinished(now: Millis): void {
    const block = this.#blocks.openStream;
    if (block === 0 && !this.#reader.incomplete) {
      this.#completeBy = Infinity;
      this.#unfinished = 0;
      return;
    }
    const which = block === 0 ? this.#reader.begun : -block;
    // The frame that a header block begins with is part of the block.
    const goesOn = which === this.#unfinished || (block !== 0 && this.#unfinished > 0);
    this.#unfinished = which;
    if (goesOn && this.#completeBy !== Infinity) return;
    this.#completeBy = now + this.#core.options.prefaceTimeout;
  }
}

/** Whether a stream could send if the connection had more room. */
function isWaitingForOthers(what: WaitingFor): boolean {
  return what === WaitingFor.CONNECTION_WINDOW || what === WaitingFor.ROOM;
}
