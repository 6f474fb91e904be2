/** Memory that a {@link SlowLink} and its relay thread share. The relay waits in system calls and gets no messages. */
import type { LinkConditions } from "./delayed_packets.ts";

/** Indexes in the shared array; all values are whole numbers. */
enum Field {
  DelayMicros,
  /** 0: no limit. */
  BitsPerSecond,
  QueueBytes,
  LossPerMillion,
  ReorderPerMillion,
  DuplicatePerMillion,
  LargestPacket,
  State,
  Delivered,
  Dropped,
  Count,
}

/** What the relay does with packets. */
export enum LinkState {
  Up,
  Down,
  /** The relay closes its devices and ends. */
  Ending,
}

/** The shared array, as fields. */
export class SharedLinkState {
  readonly #fields: Int32Array<SharedArrayBuffer>;

  constructor(readonly memory = new SharedArrayBuffer(Field.Count * Int32Array.BYTES_PER_ELEMENT)) {
    this.#fields = new Int32Array(memory);
  }

  get conditions(): LinkConditions {
    const bits = this.#get(Field.BitsPerSecond);
    return {
      delayMillis: this.#get(Field.DelayMicros) / 1000,
      bitsPerSecond: bits === 0 ? null : bits,
      queueBytes: this.#get(Field.QueueBytes),
      lossShare: this.#get(Field.LossPerMillion) / 1e6,
      reorderShare: this.#get(Field.ReorderPerMillion) / 1e6,
      duplicateShare: this.#get(Field.DuplicatePerMillion) / 1e6,
      largestPacket: this.#get(Field.LargestPacket),
    };
  }

  set conditions(conditions: LinkConditions) {
    this.#set(Field.DelayMicros, conditions.delayMillis * 1000);
    this.#set(Field.BitsPerSecond, conditions.bitsPerSecond ?? 0);
    this.#set(Field.QueueBytes, conditions.queueBytes);
    this.#set(Field.LossPerMillion, conditions.lossShare * 1e6);
    this.#set(Field.ReorderPerMillion, conditions.reorderShare * 1e6);
    this.#set(Field.DuplicatePerMillion, conditions.duplicateShare * 1e6);
    this.#set(Field.LargestPacket, conditions.largestPacket);
  }

  get state(): LinkState {
    return this.#get(Field.State);
  }

  set state(state: LinkState) {
    this.#set(Field.State, state);
  }

  /** Packets of both directions that arrived so far, and those that were dropped for any reason. */
  get counts(): { readonly delivered: number; readonly dropped: number } {
    return { delivered: this.#get(Field.Delivered) >>> 0, dropped: this.#get(Field.Dropped) >>> 0 };
  }

  /** Adds to {@link counts}. */
  count(delivered: number, dropped: number): void {
    Atomics.add(this.#fields, Field.Delivered, delivered);
    Atomics.add(this.#fields, Field.Dropped, dropped);
  }

  #get(field: Field): number {
    return Atomics.load(this.#fields, field);
  }

  #set(field: Field, value: number): void {
    Atomics.store(this.#fields, field, Math.round(value));
  }
}
