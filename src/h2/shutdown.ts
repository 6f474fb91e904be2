/**
 * Ends a connection without cutting off streams (RFC 9113 §6.8):
 *
 * ```
 *            client: GOAWAY(0)
 *  RUNNING ─────────────────────────────────────────────▶ FINAL ──last stream──▶ connection ended
 *     │                                                     ▲
 *     │ server: GOAWAY(2^31-1), PING                        │ GOAWAY(last stream)
 *     └────────────────────▶ ANNOUNCED ──PING ACK or timeout┘
 * ```
 * In ANNOUNCED new streams are still served: the client may have sent them before the GOAWAY reached it.
 */
import type { Millis } from "../net/clock.ts";
import { MAX_STREAM_ID } from "./frame.ts";
import type { H2Failure } from "./seam.ts";

export enum ShutdownState {
  RUNNING,
  ANNOUNCED,
  FINAL,
}

/** How far the shutdown of one connection is, in either direction. */
export class Shutdown {
  state = ShutdownState.RUNNING;
  /** The peer's GOAWAY; null: none was received. */
  received: H2Failure | null = null;
  /** The last stream of ours that the peer processes, by its GOAWAY. */
  receivedLast = MAX_STREAM_ID;
  /** The last stream of the peer that we process. */
  sentLast = MAX_STREAM_ID;
  /** When the final GOAWAY is sent if the PING is not acknowledged. */
  pingAnswerBy: Millis = Infinity;

  /** GOAWAY was sent or received. */
  get draining(): boolean {
    return this.state !== ShutdownState.RUNNING || this.received !== null;
  }

  /** The final GOAWAY was sent. */
  get final(): boolean {
    return this.state === ShutdownState.FINAL;
  }

  /** Server: the first GOAWAY and the PING were sent. */
  announce(pingAnswerBy: Millis): void {
    this.state = ShutdownState.ANNOUNCED;
    this.pingAnswerBy = pingAnswerBy;
  }

  /** The final GOAWAY is sent, with this last stream. */
  finalise(lastStreamId: number): void {
    this.state = ShutdownState.FINAL;
    this.sentLast = lastStreamId;
    this.pingAnswerBy = Infinity;
  }
}
