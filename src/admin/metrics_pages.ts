/**
 * A snapshot of all metrics, made for each scrape and shared by simultaneous scrapes. The port listens on all addresses
 * and a large mesh has megabytes of metrics: a client that sends a hundred requests and reads no answer must neither
 * make us hold a hundred copies, nor make every worker count for each request.
 */
import type { MetricsSnapshot } from "../telemetry/metrics.ts";

/** Snapshots being sent at the same time; a further scrape gets the newest of them. */
const HELD_MAX = 4;

export class MetricsPage {
  /** Scrapes it is being sent to. */
  readers = 0;

  constructor(readonly snapshot: MetricsSnapshot) {}
}

export class MetricsPages {
  readonly #make: () => Promise<MetricsSnapshot>;
  readonly #held = new Set<MetricsPage>();
  #making: Promise<MetricsPage> | null = null;
  /** For who comes while one is being made: what they know of may not be in it. */
  #next: Promise<MetricsPage> | null = null;

  /** `make` is never called again before its promise has settled. */
  constructor(make: () => Promise<MetricsSnapshot>) {
    this.#make = make;
  }

  /** How many snapshots are held. */
  get held(): number {
    return this.#held.size;
  }

  /** To be given back by {@link release}, whatever becomes of it. */
  async take(): Promise<MetricsPage> {
    const newest = this.#held.size < HELD_MAX ? undefined : [...this.#held].at(-1);
    const page = newest ?? await this.#fresh();
    page.readers++;
    this.#held.add(page);
    return page;
  }

  release(page: MetricsPage): void {
    if (--page.readers === 0) this.#held.delete(page);
  }

  /** Begun after this call. */
  #fresh(): Promise<MetricsPage> {
    if (this.#making === null) return this.#begin();
    return this.#next ??= this.#making.catch(() => {}).then(() => {
      this.#next = null;
      return this.#begin();
    });
  }

  #begin(): Promise<MetricsPage> {
    const making = this.#make().then((snapshot) => new MetricsPage(snapshot)).finally(() => {
      if (this.#making === making) this.#making = null;
    });
    return this.#making = making;
  }
}
