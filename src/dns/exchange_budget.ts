/**
 * How many exchanges with nameservers the pods of an isolate may have under way together, and who gives way when there
 * are more: whoever holds most loses its oldest. So a pod whose names are never answered cannot keep others from theirs,
 * and a pod that holds no more than {@link RESERVE} never gives way.
 */

/** Each exchange has up to two sockets. */
const MAX_EXCHANGES = 1024;
/** Exchanges of each pod that others cannot take. With more pods than fit, the bound grows. */
const RESERVE = 32;

/** The exchanges of one pod. */
export interface ExchangeHolder {
  /** Exchanges under way. */
  readonly exchanges: number;
  /** Ends the oldest one; those who wait for it are told. */
  endOldest(): void;
}

export class ExchangeBudget {
  readonly #holders = new Set<ExchangeHolder>();
  readonly #most: number;

  /** `most`: of all pods together, unless the reserves are more. */
  constructor(most = MAX_EXCHANGES) {
    this.#most = most;
  }

  /** Exchanges under way. */
  get held(): number {
    let held = 0;
    for (const { exchanges } of this.#holders) held += exchanges;
    return held;
  }

  join(holder: ExchangeHolder): void {
    this.#holders.add(holder);
  }

  leave(holder: ExchangeHolder): void {
    this.#holders.delete(holder);
  }

  /** After one more has begun: ends others until the bound holds again. */
  enforce(): void {
    const most = Math.max(this.#most, RESERVE * this.#holders.size);
    for (let over = this.held - most; over > 0; over--) this.#largest()?.endOldest();
  }

  #largest(): ExchangeHolder | null {
    let largest: ExchangeHolder | null = null;
    for (const holder of this.#holders) if (holder.exchanges > (largest?.exchanges ?? 0)) largest = holder;
    return largest;
  }
}
