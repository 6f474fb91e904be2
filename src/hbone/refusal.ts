/**
 * Refuses a request of a peer that uses HTTP/2 but not HBONE, such as a browser, with a status and a line of text.
 *
 *     status sent ──▶ text sent ──the peer ends, or a second has passed: RST_STREAM(NO_ERROR)──▶ closed
 *
 * The peer may go on sending its request, so that a request that turns out to be malformed gets its own error (RFC 9113
 * §8.1.1). What it sends is dropped, and bounded by the stream's window, whose credit is not returned.
 */
import { ErrorCode, type Stream, type StreamHandler } from "../h2/seam.ts";
import type { Millis, Timer } from "../net/clock.ts";
import type { Scheduler } from "../net/network.ts";

const TEXT = new TextEncoder().encode("This port speaks HBONE: HTTP/2 CONNECT, and nothing else.\n");
/** Far above the bytes of all responses to the requests of one read. */
const GATHER_LIMIT = 262_144;
/** For the peer to take the text and to end its request. */
const TIMEOUT: Millis = 1000;

class Refusal implements StreamHandler {
  readonly #stream: Stream;
  readonly #timer: Timer;
  #sent = 0;

  constructor(scheduler: Pick<Scheduler, "after">, stream: Stream, status: string) {
    this.#stream = stream;
    this.#timer = scheduler.after(TIMEOUT, () => this.#giveUp());
    stream.handler = this;
    stream.respond([[":status", status], ["content-type", "text/plain"]], false);
    this.onSendReady();
  }

  onSendReady(): void {
    while (this.#sent < TEXT.length) {
      const room = this.#stream.reserve(TEXT.length - this.#sent, GATHER_LIMIT);
      if (room === null) return;
      const [start = 0, length = 0] = room.segments;
      room.bytes.set(TEXT.subarray(this.#sent, this.#sent + length), start);
      this.#sent += length;
      this.#stream.commit(length, this.#sent === TEXT.length);
    }
    if (this.#stream.closed) this.#close();
  }

  onEnd(): void {
    if (this.#stream.closed) this.#close();
  }

  onReset(): void {
    this.#timer.cancel();
  }

  onResponse(): void {}
  onData(): void {}
  onFlush(): void {}

  #close(): void {
    this.#timer.cancel();
    // Releases the received bytes.
    this.#stream.reset(ErrorCode.NO_ERROR);
  }

  #giveUp(): void {
    this.#stream.reset(this.#sent === TEXT.length ? ErrorCode.NO_ERROR : ErrorCode.CANCEL);
  }
}

/** Answers a request that is not a CONNECT with `status`, and handles its stream until that is closed. */
export function refuseWithText(scheduler: Pick<Scheduler, "after">, stream: Stream, status: string): void {
  new Refusal(scheduler, stream, status);
}
