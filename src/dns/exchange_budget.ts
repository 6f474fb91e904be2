/**
 * Bounds the exchanges with nameservers that are in flight for all pods of an isolate together. When there are
 * more, the pod that holds most loses its oldest exchange. So a pod whose names are never answered cannot block the
 * others, and a pod that holds no more than {@link RESERVE} never loses one.
 */

/** Each exchange has up to two sockets. */
const MAX_EXCHANGES = 1024;
/** Exchanges of each pod that other pods cannot displace. With more pods than fit, the bound grows. */
const RESERVE = 32;

/** The exchanges of one pod. */
export interface ExchangeHolder {
  /** Exchanges in flight. */
  readonly exchanges: number;
  /** Fails the oldest exchange; its clients are notified. */
  endOldest(): void;
}

/** The exchanges of all pods of an isolate. */
export class ExchangeBudget {
  readonly #holders = new Set<ExchangeHolder>();
  readonly #most: number;

  /** `most`: for all pods together, unless the reserves add up to more. */
  constructor(most = MAX_EXCHANGES) {
    this.#most = most;
  }

  /** Exchanges in flight, of all pods. */
  get inFlight(): number {
    let count = 0;
    for (const { exchanges } of this.#holders) count += exchanges;
    return count;
  }

  /** Adds a pod. */
  add(holder: ExchangeHolder): void {
    this.#holders.add(holder);
  }

  /** Removes a pod. */
  remove(holder: ExchangeHolder): void {
    this.#holders.delete(holder);
  }

  /** Called after an exchange has begun: fails others until the bound holds again. */
  enforce(): void {
    const most = Math.max(this.#most, RESERVE * this.#holders.size);
    for (let over = this.inFlight - most; over > 0; over--) this.#largest()?.endOldest();
  }

  #largest(): ExchangeHolder | null {
    let largest: ExchangeHolder | null = null;
    for (const holder of this.#holders) if (holder.exchanges > (largest?.exchanges ?? 0)) largest = holder;
    return largest;
  }
}
