/**
 * Handles received control frames: SETTINGS, PING, GOAWAY, WINDOW_UPDATE, RST_STREAM, PRIORITY. `inbound.ts` has
 * checked their lengths and stream ids.
 */
import { Closing } from "./closed_streams.ts";
import { type Core, Phase } from "./core.ts";
import { failure, goAwayFailure, reasonText } from "./failure.ts";
import { FLAG_ACK, getUint31, getUint32 } from "./frame.ts";
import { DRAIN_PING, type Keepalive, KEEPALIVE_PING } from "./keepalive.ts";
import { ErrorCode } from "./seam.ts";
import { ShutdownState } from "./shutdown.ts";
import type { OpenStream } from "./open_stream.ts";
import { WaitingFor } from "./wait_queue.ts";
import { Work } from "./work.ts";

/**
 * One method for each type of frame; the payload begins at `bytes[at]` or `bytes[start]`. Every method returns false
 * when the connection has ended.
 */
export class ControlReceiver {
  readonly #core: Core;
  readonly #keepalive: Keepalive;
  constructor(core: Core, keepalive: Keepalive) {
    this.#core = core;
    this.#keepalive = keepalive;
  }

  /** A stream error; a connection error if the stream is idle, as RST_STREAM on it is forbidden (RFC 9113 §6.4). */
  streamOrConnectionError(streamId: number, code: ErrorCode, reason: string): boolean {
    return this.#core.isIdle(streamId) ? this.#core.fail(code, reason) : this.#core.streamError(streamId, code, reason);
  }

  priority(streamId: number, bytes: Uint8Array, at: number): boolean {
    if (getUint31(bytes, at) !== streamId) return true;
    return this.streamOrConnectionError(streamId, ErrorCode.PROTOCOL_ERROR, "stream depends on itself");
  }

  reset(streamId: number, bytes: Uint8Array, at: number): boolean {
    const core = this.#core;
    if (core.isIdle(streamId)) {
      if (core.isServer && streamId > core.shutdown.sentLast) return core.charge(core.budgets.earlyResets);
      return core.fail(ErrorCode.PROTOCOL_ERROR, "RST_STREAM on an idle stream");
    }
    const stream = core.streams.get(streamId);
    if (stream === undefined) return this.#lateReset(streamId);
    if (!core.charge(stream.headersSent ? core.budgets.resets : core.budgets.earlyResets)) return false;
    core.work += Work.RESET;
    const code: ErrorCode = getUint32(bytes, at);
    stream.abandon(failure("peer", code, reasonText(code)), Closing.RESET_BY_PEER);
    return !core.ended;
  }

  /**
   * A stream that both sides have ended may be reset once without cost: some clients do that for each stream, and it
   * causes no work. Each further reset is charged.
   */
  #lateReset(streamId: number): boolean {
    const core = this.#core;
    if (core.closed.get(streamId) !== Closing.ENDED) return core.charge(core.budgets.earlyResets);
    core.closed.add(streamId, Closing.ENDED_AND_RESET, 0);
    return true;
  }

  windowUpdate(streamId: number, bytes: Uint8Array, at: number): boolean {
    const core = this.#core, increment = getUint31(bytes, at);
    if (!core.budgets.takeWindowUpdate(core.now)) {
      return core.fail(ErrorCode.ENHANCE_YOUR_CALM, core.budgets.windowUpdates.breach);
    }
    if (streamId === 0) return this.#connectionWindow(increment);
    const stream = core.streams.get(streamId);
    if (stream === undefined) {
      if (!core.isIdle(streamId) || (core.isServer && streamId > core.shutdown.sentLast)) return true;
      return core.fail(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE on an idle stream");
    }
    if (increment === 0) return core.streamError(streamId, ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE of 0");
    if (!stream.sendWindow.change(increment)) {
      return core.streamError(streamId, ErrorCode.FLOW_CONTROL_ERROR, "stream window above 2^31-1");
    }
    this.#wakeForOwnWindow(stream);
    return !core.ended;
  }

  ping(flags: number, bytes: Uint8Array, at: number): boolean {
    const core = this.#core, high = getUint32(bytes, at), low = getUint32(bytes, at + 4);
    if (!(flags & FLAG_ACK)) {
      if (!core.charge(core.budgets.pings)) return false;
      core.writer.ping(high, low, true);
      return true;
    }
    if (high === KEEPALIVE_PING && this.#keepalive.acknowledged(low)) return true;
    if (high === DRAIN_PING && core.shutdown.state === ShutdownState.ANNOUNCED) {
      core.finaliseDrain();
      return true;
    }
    return core.charge(core.budgets.pings);
  }

  settings(flags: number, bytes: Uint8Array, start: number, end: number): boolean {
    const core = this.#core;
    if (flags & FLAG_ACK) {
      if (core.settingsUnacknowledged === 0) return core.charge(core.budgets.settings);
      core.settingsUnacknowledged--;
      return true;
    }
    if (!core.charge(core.budgets.settings)) return false;
    const first = core.phase !== Phase.OPEN;
    if (first) core.peer.clearStreamLimit();
    const windowBefore = core.peer.initialWindow;
    const error = core.peer.apply(bytes, start, end);
    if (error !== null) return core.fail(error.code, error.reason);
    core.writer.encoder.setMaxTableSize(core.peer.smallestHeaderTableSize);
    core.writer.encoder.setMaxTableSize(core.peer.headerTableSize);
    const change = core.peer.initialWindow - windowBefore;
    if (change !== 0 && !this.#changeWindows(change)) return false;
    core.writer.settingsAck();
    if (first) {
      core.phase = Phase.OPEN;
      core.handler.onSettings();
    }
    if (change > 0 && !core.ended) { for (const stream of core.streams.values()) this.#wakeForOwnWindow(stream); }
    return !core.ended;
  }

  goAway(bytes: Uint8Array, start: number, end: number): boolean {
    const core = this.#core, lastStreamId = getUint31(bytes, start);
    if (!core.charge(core.budgets.otherControl)) return false;
    if (lastStreamId > core.shutdown.receivedLast) {
      return core.fail(ErrorCode.PROTOCOL_ERROR, "GOAWAY with a larger last stream than before");
    }
    const cause = goAwayFailure(getUint32(bytes, start + 4), bytes, start + 8, end);
    core.shutdown.receivedLast = lastStreamId;
    core.shutdown.received = cause;
    core.handler.onGoAway(lastStreamId, cause);
    if (!core.ended) core.refuseAbove(lastStreamId);
    return !core.ended;
  }

  #connectionWindow(increment: number): boolean {
    const core = this.#core;
    if (increment === 0) return core.fail(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE of 0");
    if (!core.sendWindow.change(increment)) {
      return core.fail(ErrorCode.FLOW_CONTROL_ERROR, "connection window above 2^31-1");
    }
    core.wakeForWindow();
    return !core.ended;
  }

  /** A new initial window changes every stream's window by the difference (RFC 9113 §6.9.2). */
  #changeWindows(by: number): boolean {
    for (const stream of this.#core.streams.values()) {
      if (!stream.sendWindow.change(by)) {
        return this.#core.fail(ErrorCode.FLOW_CONTROL_ERROR, "stream window above 2^31-1 by SETTINGS");
      }
    }
    return true;
  }

  #wakeForOwnWindow(stream: OpenStream): void {
    if (stream.waitingFor === WaitingFor.STREAM_WINDOW && stream.sendWindow.available > 0) stream.wake();
  }
}
