/**
 * Collects the events for one follower of flows and sends them in batches. It never waits for its reader: events that
 * find the queue full are dropped and counted.
 *
 *     idle ──event──▶ collecting ──200 ms──▶ a batch is sent ──taken──▶ idle
 *                        └── BATCHES in flight: the queue grows up to its bound ──┘
 */
import type { Millis, Timer } from "../net/clock.ts";
import type { Scheduler } from "../net/network.ts";
import { FlowJson } from "../telemetry/flow_json.ts";
import type { PastEvent } from "../telemetry/flow_ring.ts";
import { TextChunks } from "./text_chunks.ts";

/** For how long events are collected. */
const COLLECT: Millis = 200;
/** Batches that may be in flight. */
const BATCHES = 2;
/** Events that may wait, and in one batch. An event has about 1000 bytes. */
const WAITING_MAX = 4000;

/**
 * Events that are written together: between two connections the code and data for it are not in the processor's caches,
 * so that one event takes as long as three in a row. More would outlive collections.
 */
const WRITTEN_TOGETHER = 32;
/** A server-sent event. */
const DATA = new TextEncoder().encode("data: "), END = new TextEncoder().encode("\n\n");

/** The events for one follower. */
export class FlowFollower {
  readonly #scheduler: Pick<Scheduler, "after">;
  readonly #send: (events: Uint8Array<ArrayBuffer>[], lost: number) => void;
  /** Server-sent events. */
  readonly #waiting = new TextChunks();
  readonly #unwritten: PastEvent[] = [];
  readonly #json = new FlowJson();
  #waitingCount = 0;
  #lost = 0;
  #inFlight = 0;
  #timer: Timer | null = null;

  /** `send`: sends a batch, and how many events were lost before it. */
  constructor(scheduler: Pick<Scheduler, "after">, send: (events: Uint8Array<ArrayBuffer>[], lost: number) => void) {
    this.#scheduler = scheduler;
    this.#send = send;
  }

  add(event: PastEvent): void {
    if (this.#waitingCount >= WAITING_MAX) {
      this.#lost++;
      return;
    }
    if (this.#unwritten.push(event) >= WRITTEN_TOGETHER) this.#write();
    this.#waitingCount++;
    this.#sendLater();
  }

  /** The reader has taken a batch; its buffers can be filled again. */
  taken(buffers: readonly Uint8Array<ArrayBuffer>[]): void {
    this.#waiting.recycle(buffers);
    this.#inFlight = Math.max(0, this.#inFlight - 1);
    if (this.#waitingCount > 0) this.#sendLater();
  }

  /** Sends what waits at once, whatever is in flight. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#waitingCount > 0) this.#sendBatch();
  }

  /** Nothing is sent any more. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#waitingCount = this.#unwritten.length = 0;
    this.#waiting.take();
  }

  #write(): void {
    for (const event of this.#unwritten) this.#waiting.add(DATA, this.#json.event(event), END);
    this.#unwritten.length = 0;
  }

  #sendLater(): void {
    if (this.#timer !== null || this.#inFlight >= BATCHES) return;
    this.#timer = this.#scheduler.after(COLLECT, () => {
      this.#timer = null;
      this.#sendBatch();
    });
  }

  #sendBatch(): void {
    this.#write();
    const events = this.#waiting.take(), lost = this.#lost;
    this.#waitingCount = this.#lost = 0;
    this.#inFlight++;
    this.#send(events, lost);
  }
}
