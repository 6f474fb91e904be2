/** Queues of streams that wait for a window or for room in the output buffer, in the order of their arrival. */

/** What a stream waits for that could not send. */
export enum WaitingFor {
  NOTHING,
  STREAM_WINDOW,
  CONNECTION_WINDOW,
  ROOM,
  /** The same for streams that send little; they are notified before the others. */
  ROOM_FIRST,
}

/**
 * The links of the list are fields of the stream: adding and removing allocate nothing, and removing needs no search.
 */
export interface QueuedStream {
  waitingFor: WaitingFor;
  waitNext: QueuedStream | null;
  waitPrevious: QueuedStream | null;
  /** The stream may send now. It was removed from the queue before. */
  wake(): void;
}

/** A doubly linked list of streams that wait for the same thing. */
export class WaitQueue {
  readonly #what: WaitingFor;
  #first: QueuedStream | null = null;
  #last: QueuedStream | null = null;
  #count = 0;

  constructor(what: WaitingFor) {
    this.#what = what;
  }

  get size(): number {
    return this.#count;
  }

  /** Adds a stream to the end of the queue, unless it is in it already. */
  add(stream: QueuedStream): void {
    if (stream.waitingFor === this.#what) return;
    stream.waitingFor = this.#what;
    stream.waitPrevious = this.#last;
    if (this.#last === null) this.#first = stream;
    else this.#last.waitNext = stream;
    this.#last = stream;
    this.#count++;
  }

  /** Removes a stream, if it is in this queue. */
  remove(stream: QueuedStream): void {
    if (stream.waitingFor !== this.#what) return;
    const { waitPrevious, waitNext } = stream;
    if (waitPrevious === null) this.#first = waitNext;
    else waitPrevious.waitNext = waitNext;
    if (waitNext === null) this.#last = waitPrevious;
    else waitNext.waitPrevious = waitPrevious;
    stream.waitPrevious = stream.waitNext = null;
    stream.waitingFor = WaitingFor.NOTHING;
    this.#count--;
  }

  /** Removes and returns the first stream; null: the queue is empty. */
  shift(): QueuedStream | null {
    const stream = this.#first;
    if (stream !== null) this.remove(stream);
    return stream;
  }
}
