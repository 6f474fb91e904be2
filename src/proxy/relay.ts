/**
 * Copies between two sockets, both ways, until both ways have ended: plain TCP through the proxy. What is left of a
 * chunk that the other side does not take whole is kept, and no more is read before all of it is written.
 */
import { READS_PER_TURN } from "../net/portions.ts";
import type { Loop } from "../net/loop.ts";
import { PendingBytes } from "../hbone/pending_bytes.ts";
import { type Duplex, type DuplexSink, type Ending, FAILED } from "../net/duplex.ts";
import type { TurnTask } from "../net/network.ts";
import { streamEndHow } from "../hbone/failure.ts";
import type { EndedBy, EndedHow } from "../telemetry/connection_ending.ts";
import { type Copy, type CopyMeter, type CopyOutcome, type CopyOwner, socketFailure } from "./copy.ts";

/** Plain TCP between a client (`downstream`) and a server (`upstream`). */
export class Relay implements Copy {
  readonly #downstream: Duplex;
  readonly #upstream: Duplex;
  readonly #owner: CopyOwner;
  readonly #up: Direction;
  readonly #down: Direction;
  #isDone = false;
  /** The side that sent its end first. */
  #endedBy: EndedBy | null = null;

  constructor(loop: Loop, downstream: Duplex, upstream: Duplex, meter: CopyMeter, owner: CopyOwner) {
    this.#downstream = downstream;
    this.#upstream = upstream;
    this.#owner = owner;
    this.#up = new Direction(loop, downstream, upstream, meter, true, this);
    this.#down = new Direction(loop, upstream, downstream, meter, false, this);
  }

  /** Takes over both sockets. */
  start(): void {
    this.#downstream.start(this.#up);
    this.#upstream.start(this.#down);
    this.#up.copy();
    this.#down.copy();
  }

  get isHalfClosed(): boolean {
    return this.#endedBy !== null;
  }

  cut(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#closeBoth(true);
  }

  /** `socket` can take more. */
  drainInto(socket: Duplex): void {
    (socket === this.#upstream ? this.#up : this.#down).drain();
  }

  /** One direction has delivered everything. `by`: the side that it came from. */
  ended(by: EndedBy): void {
    if (this.#endedBy !== null) return this.#finish(null, this.#endedBy, "fin", false);
    this.#endedBy = by;
    this.#owner.onHalfClosed();
  }

  /** The other side is reset too, except where the server had sent its end: then its bytes are delivered. */
  failed(ending: Ending, socket: Duplex): void {
    const isClient = socket === this.#downstream;
    const answered = !isClient && this.#down.isOver;
    const by = isClient ? "client" : "server";
    this.#finish(socketFailure(ending, isClient), by, streamEndHow(ending), !answered);
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  #finish(outcome: CopyOutcome, by: EndedBy, how: EndedHow, reset: boolean): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#closeBoth(reset);
    this.#owner.onCopied(outcome, { by, how });
  }

  #closeBoth(reset: boolean): void {
    this.#downstream.close(reset);
    this.#upstream.close(reset);
  }
}

/** Bytes from one socket to the other one. The user of the socket that it reads from. */
class Direction implements DuplexSink, TurnTask {
  readonly #loop: Loop;
  readonly #from: Duplex;
  readonly #to: Duplex;
  readonly #meter: CopyMeter;
  readonly #isUp: boolean;
  readonly #relay: Relay;
  readonly #pending: PendingBytes;
  isOver = false;

  constructor(loop: Loop, from: Duplex, to: Duplex, meter: CopyMeter, isUp: boolean, relay: Relay) {
    this.#loop = loop;
    this.#from = from;
    this.#to = to;
    this.#meter = meter;
    this.#isUp = isUp;
    this.#relay = relay;
    this.#pending = new PendingBytes(loop.blocks);
  }

  onReadable(): void {
    this.copy();
  }

  onWritable(): void {
    this.#relay.drainInto(this.#from);
  }

  onFailure(ending: Ending): void {
    this.#relay.failed(ending, this.#from);
  }

  runTurn(): void {
    this.copy();
  }

  copy(): void {
    const { input, network } = this.#loop;
    for (let reads = READS_PER_TURN; reads > 0; reads--) {
      if (this.#relay.isDone || this.isOver || this.#pending.length > 0) return;
      if (!this.#from.readable && !this.#from.ended) return;
      const count = this.#from.ended ? 0 : this.#from.read(input);
      if (count === FAILED) return this.#relay.failed(this.#from.failure!, this.#from);
      if (count > 0 && !this.#forward(input, count)) return;
      if (this.#from.ended) return this.#end();
    }
    network.nextTurn(this);
  }

  /** The other side can take more. */
  drain(): void {
    if (this.#relay.isDone || this.#pending.length === 0) return;
    const taken = this.#pending.writeTo(this.#to);
    if (taken === FAILED) return this.#relay.failed(this.#to.failure!, this.#to);
    this.#count(taken);
    if (this.#pending.length === 0) this.copy();
  }

  /** False: the other side did not take all of it. */
  #forward(input: Uint8Array, count: number): boolean {
    const taken = this.#to.write(input.subarray(0, count), this.#from.ended);
    if (taken === FAILED) {
      this.#relay.failed(this.#to.failure!, this.#to);
      return false;
    }
    if (taken > 0) this.#count(taken);
    this.#pending.add(input, taken, count);
    return taken === count;
  }

  #count(bytes: number): void {
    if (this.#isUp) this.#meter.addReceived(bytes);
    else this.#meter.addSent(bytes);
  }

  #end(): void {
    this.isOver = true;
    // When this was the last direction, closing both sockets sends the FIN too.
    this.#relay.ended(this.#isUp ? "client" : "server");
    if (!this.#relay.isDone) this.#to.end();
  }
}
