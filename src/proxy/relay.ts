/**
 * Copies between two sockets, both ways, until both ways have ended: plain TCP through the proxy. A chunk that the
 * other side does not take whole is kept, and its source is not read again before it has left.
 */
import { READS_PER_TURN } from "../hbone/portions.ts";
import type { Loop } from "../hbone/loop.ts";
import { PendingBytes } from "../hbone/pending_bytes.ts";
import { type Duplex, type DuplexSink, type Ending, FAILED } from "../net/duplex.ts";
import type { TurnTask } from "../net/network.ts";
import { type CopyMeter, type CopyOutcome, socketFailure } from "./copy.ts";

export class Relay {
  readonly #up: Direction;
  readonly #down: Direction;
  #done = false;

  constructor(
    loop: Loop,
    private readonly downstream: Duplex,
    private readonly upstream: Duplex,
    meter: CopyMeter,
    private readonly onDone: (outcome: CopyOutcome) => void,
  ) {
    this.#up = new Direction(loop, downstream, upstream, (count) => meter.up(count), this);
    this.#down = new Direction(loop, upstream, downstream, (count) => meter.down(count), this);
  }

  start(): void {
    this.downstream.start(sinkOf(this.#up, this.#down, (ending) => this.failed(ending, this.downstream)));
    this.upstream.start(sinkOf(this.#down, this.#up, (ending) => this.failed(ending, this.upstream)));
    this.#up.copy();
    this.#down.copy();
  }

  /** Cuts both ends; `onDone` is not called. */
  cut(): void {
    if (this.#done) return;
    this.#done = true;
    this.#closeBoth(true);
  }

  /** One direction has delivered everything. */
  ended(): void {
    if (this.#up.isOver && this.#down.isOver) this.#finish(null, false);
  }

  /** What was cut off must not look like an end, unless upstream had said everything: then that is delivered. */
  failed(ending: Ending, socket: Duplex): void {
    const answered = socket === this.upstream && this.#down.isOver;
    this.#finish(socketFailure(ending, socket === this.downstream), !answered);
  }

  get isDone(): boolean {
    return this.#done;
  }

  #finish(outcome: CopyOutcome, reset: boolean): void {
    if (this.#done) return;
    this.#done = true;
    this.#closeBoth(reset);
    this.onDone(outcome);
  }

  #closeBoth(reset: boolean): void {
    this.downstream.close(reset);
    this.upstream.close(reset);
  }
}

function sinkOf(reads: Direction, writes: Direction, onFailure: (ending: Ending) => void): DuplexSink {
  return { onReadable: () => reads.copy(), onWritable: () => writes.drain(), onFailure };
}

class Direction implements TurnTask {
  readonly #pending: PendingBytes;
  isOver = false;

  constructor(
    private readonly loop: Loop,
    private readonly from: Duplex,
    private readonly to: Duplex,
    private readonly count: (bytes: number) => void,
    private readonly relay: Relay,
  ) {
    this.#pending = new PendingBytes(loop.blocks);
  }

  runTurn(): void {
    this.copy();
  }

  copy(): void {
    const { input, network } = this.loop;
    for (let reads = READS_PER_TURN; reads > 0; reads--) {
      if (this.relay.isDone || this.isOver || this.#pending.length > 0) return;
      if (!this.from.readable && !this.from.ended) return;
      const count = this.from.ended ? 0 : this.from.read(input);
      if (count === FAILED) return this.relay.failed(this.from.failure!, this.from);
      if (count > 0 && !this.#forward(input, count)) return;
      if (this.from.ended) return this.#end();
    }
    network.nextTurn(this);
  }

  /** The other side can take more. */
  drain(): void {
    if (this.relay.isDone || this.#pending.length === 0) return;
    const taken = this.#pending.writeTo(this.to);
    if (taken === FAILED) return this.relay.failed(this.to.failure!, this.to);
    this.count(taken);
    if (this.#pending.length === 0) this.copy();
  }

  #forward(input: Uint8Array, count: number): boolean {
    const taken = this.to.write(input.subarray(0, count), this.from.ended);
    if (taken === FAILED) {
      this.relay.failed(this.to.failure!, this.to);
      return false;
    }
    if (taken > 0) this.count(taken);
    this.#pending.add(input, taken, count);
    return taken === count;
  }

  #end(): void {
    this.isOver = true;
    // Closing both, when this was the last direction, sends the FIN too.
    this.relay.ended();
    if (!this.relay.isDone) this.to.end();
  }
}
