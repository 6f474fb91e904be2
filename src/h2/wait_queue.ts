/** Streams that wait for something of the connection, in fair order: first come, first served. */

/** What a stream that could not send waits for. */
export enum WaitingFor {
  NOTHING,
  STREAM_WINDOW,
  CONNECTION_WINDOW,
  ROOM,
  /** The same for streams that send little; they are called before the others. */
  ROOM_FIRST,
}

/** Links inside the waiting object itself: joining and leaving allocate nothing, and leaving costs no search. */
export interface QueuedStream {
  waitingFor: WaitingFor;
  waitNext: QueuedStream | null;
  waitPrevious: QueuedStream | null;
  /** It may go on. Has left the queue already. */
  wake(): void;
}

export class WaitQueue {
  private first: QueuedStream | null = null;
  private last: QueuedStream | null = null;
  private count = 0;

  constructor(private readonly what: WaitingFor) {}

  get size(): number {
    return this.count;
  }

  /** To the end of the queue, unless it is in it already. */
  add(waiter: QueuedStream): void {
    if (waiter.waitingFor === this.what) return;
    waiter.waitingFor = this.what;
    waiter.waitPrevious = this.last;
    if (this.last === null) this.first = waiter;
    else this.last.waitNext = waiter;
    this.last = waiter;
    this.count++;
  }

  remove(waiter: QueuedStream): void {
    if (waiter.waitingFor !== this.what) return;
    const { waitPrevious, waitNext } = waiter;
    if (waitPrevious === null) this.first = waitNext;
    else waitPrevious.waitNext = waitNext;
    if (waitNext === null) this.last = waitPrevious;
    else waitNext.waitPrevious = waitPrevious;
    waiter.waitPrevious = waiter.waitNext = null;
    waiter.waitingFor = WaitingFor.NOTHING;
    this.count--;
  }

  /** Takes the first one out, or null. */
  shift(): QueuedStream | null {
    const waiter = this.first;
    if (waiter !== null) this.remove(waiter);
    return waiter;
  }
}
