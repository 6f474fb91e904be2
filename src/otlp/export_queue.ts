/**
 * Records that wait for their export, bounded. One batch is in flight at a time.
 *
 *     idle ──add──▶ collecting ──delay, or a full batch──▶ sending ──done──▶ idle, or the next batch
 *                                                             └─ further records wait; beyond the bound they are dropped
 */
import type { Clock, Millis, Timer } from "../net/clock.ts";
import type { BatchOutcome } from "./batch_sender.ts";

/** What the queue needs. */
interface QueueParts<T> {
  readonly clock: Pick<Clock, "after">;
  readonly delay: Millis;
  readonly queueMax: number;
  readonly batchMax: number;
  /** Never rejects. */
  readonly send: (batch: readonly T[]) => Promise<BatchOutcome>;
  readonly counts: ExportCounts;
}

/** Counters of one signal, in records. */
interface ExportCounts {
  readonly exported: { value: number };
  /** There was no room in the queue. */
  readonly overflown: { value: number };
  /** The batch could not be sent. */
  readonly failed: { value: number };
  /** The collector did not take them. */
  readonly rejected: { value: number };
}

/** The queue of one signal. */
export class ExportQueue<T> {
  readonly #parts: QueueParts<T>;
  #waiting: T[] = [];
  #timer: Timer | null = null;
  #isSending = false;
  #onEmpty: (() => void) | null = null;

  constructor(parts: QueueParts<T>) {
    this.#parts = parts;
  }

  get isFull(): boolean {
    return this.#waiting.length >= this.#parts.queueMax;
  }

  add(record: T): void {
    if (this.isFull) return this.drop();
    this.#waiting.push(record);
    this.#sendSoon();
  }

  /** Counts a record that is not added, as there is no room. */
  drop(): void {
    this.#parts.counts.overflown.value++;
  }

  /** Sends what waits without delay. Resolves when nothing is left. */
  flush(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
      this.#next();
    });
  }

  /** Discards what waits. */
  close(): void {
    this.#timer?.cancel();
    this.#parts.counts.failed.value += this.#waiting.length;
    this.#waiting = [];
  }

  #sendSoon(): void {
    if (this.#isSending) return;
    const { clock, delay, batchMax } = this.#parts;
    if (this.#waiting.length >= batchMax) return this.#start();
    this.#timer ??= clock.after(delay, () => this.#start());
  }

  #start(): void {
    this.#timer?.cancel();
    this.#timer = null;
    const batch = this.#waiting.splice(0, this.#parts.batchMax);
    this.#isSending = true;
    void this.#parts.send(batch).then((outcome) => {
      this.#isSending = false;
      this.#count(batch.length, outcome);
      this.#next();
    });
  }

  #next(): void {
    if (this.#isSending) return;
    if (this.#waiting.length === 0) return this.#onEmpty?.();
    if (this.#onEmpty === null) this.#sendSoon();
    else this.#start();
  }

  #count(size: number, outcome: BatchOutcome): void {
    const { exported, failed, rejected } = this.#parts.counts;
    if (outcome.kind === "failed") failed.value += size;
    else {
      const refused = Math.min(size, outcome.rejected);
      rejected.value += refused;
      exported.value += size - refused;
    }
  }
}
