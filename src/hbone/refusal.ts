/**
 * The answer to who speaks HTTP/2 but no HBONE, such as a browser: refused in words.
 *
 *     answered ──text sent──▶ told ──the peer ends, or a second has passed: RST_STREAM(NO_ERROR)──▶ over
 *
 * The peer may still be sending its request and is let: a request that turns out to be malformed gets the error of its
 * own (RFC 9113 §8.1.1). What it sends is dropped, and bounded by the stream's window, whose credit does not return.
 */
import type { Millis, Timer } from "../net/clock.ts";
import { ErrorCode, type Stream, type StreamHandler } from "../h2/seam.ts";
import type { Scheduler } from "../net/network.ts";

const TEXT = new TextEncoder().encode("This port speaks HBONE: HTTP/2 CONNECT, and nothing else.\n");
/** Far above what the answers to one read can be. */
const GATHER_LIMIT = 262_144;
/** For the peer to take the text and to end its request. */
const PATIENCE: Millis = 1000;

class Refusal implements StreamHandler {
  readonly #stream: Stream;
  readonly #timer: Timer;
  #sent = 0;

  constructor(scheduler: Pick<Scheduler, "after">, stream: Stream, status: string) {
    this.#stream = stream;
    this.#timer = scheduler.after(PATIENCE, () => this.#giveUp());
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
    if (this.#stream.closed) this.#over();
  }

  onEnd(): void {
    if (this.#stream.closed) this.#over();
  }

  onReset(): void {
    this.#timer.cancel();
  }

  onResponse(): void {}
  onData(): void {}
  onFlush(): void {}

  #over(): void {
    this.#timer.cancel();
    // Gives up what was received.
    this.#stream.reset(ErrorCode.NO_ERROR);
  }

  #giveUp(): void {
    this.#stream.reset(this.#sent === TEXT.length ? ErrorCode.NO_ERROR : ErrorCode.CANCEL);
  }
}

/** Answers a request that is no CONNECT, and sees to the stream from now on. */
export function refuseInWords(scheduler: Pick<Scheduler, "after">, stream: Stream, status: string): void {
  new Refusal(scheduler, stream, status);
}
