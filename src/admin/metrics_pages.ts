/**
 * Snapshots of all metrics, one for each scrape, shared by simultaneous scrapes. The port listens on all addresses, and
 * a large mesh has megabytes of metrics: a client that sends a hundred requests and reads no response must not make us
 * hold a hundred snapshots, nor make the workers produce one for each request.
 */
import type { MetricsSnapshot } from "../telemetry/metrics.ts";

/** Snapshots held at a time; a further scrape gets the newest of them. */
const HELD_MAX = 4;

/** A snapshot and the number of scrapes that use it. */
export class MetricsPage {
  /** Scrapes to which it is being sent. */
  readers = 0;

  constructor(readonly snapshot: MetricsSnapshot) {}
}

/** Makes and holds snapshots. */
export class MetricsPages {
  readonly #make: () => Promise<MetricsSnapshot>;
  readonly #held = new Set<MetricsPage>();
  #making: Promise<MetricsPage> | null = null;
  /** For scrapes that arrive while one is being made, as that may lack what was counted before they arrived. */
  #next: Promise<MetricsPage> | null = null;

  /** `make` is never called again before its promise has settled. */
  constructor(make: () => Promise<MetricsSnapshot>) {
    this.#make = make;
  }

  /** Number of snapshots held. */
  get held(): number {
    return this.#held.size;
  }

  /** A snapshot for one scrape, which has to call {@link release} in any case. */
  async take(): Promise<MetricsPage> {
    const newest = this.#held.size < HELD_MAX ? undefined : [...this.#held].at(-1);
    const page = newest ?? await this.#fresh();
    page.readers++;
    this.#held.add(page);
    return page;
  }

  /** The scrape has ended. */
  release(page: MetricsPage): void {
    if (--page.readers === 0) this.#held.delete(page);
  }

  /** A snapshot that is begun after this call. */
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
