/**
 * Leaving politely (RFC 9113 §6.8):
 *
 * ```
 *            client: GOAWAY(0)
 *  RUNNING ─────────────────────────────────────────────▶ FINAL ──last stream──▶ connection ended
 *     │                                                     ▲
 *     │ server: GOAWAY(2^31-1), PING                        │ GOAWAY(last stream)
 *     └────────────────────▶ ANNOUNCED ──PING ACK or timeout┘
 * ```
 * In ANNOUNCED new streams are still served: the client may have sent them before it knew.
 */
import { MAX_STREAM_ID } from "./frame.ts";
import type { H2Failure, Millis } from "./seam.ts";

export enum ShutdownState {
  RUNNING,
  ANNOUNCED,
  FINAL,
}

export class Shutdown {
  state = ShutdownState.RUNNING;
  /** The peer's GOAWAY. */
  received: H2Failure | null = null;
  /** Last stream of ours that the peer's GOAWAY lets live. */
  receivedLast = MAX_STREAM_ID;
  /** Streams of the peer above this are not processed. */
  sentLast = MAX_STREAM_ID;
  /** When the final GOAWAY follows without an answer to the PING. */
  pingAnswerBy: Millis = Infinity;

  /** GOAWAY sent or received. */
  get draining(): boolean {
    return this.state !== ShutdownState.RUNNING || this.received !== null;
  }

  get final(): boolean {
    return this.state === ShutdownState.FINAL;
  }

  announce(pingAnswerBy: Millis): void {
    this.state = ShutdownState.ANNOUNCED;
    this.pingAnswerBy = pingAnswerBy;
  }

  finalise(lastStreamId: number): void {
    this.state = ShutdownState.FINAL;
    this.sentLast = lastStreamId;
    this.pingAnswerBy = Infinity;
  }
}
