/**
 * Passes on what is not ours, byte for byte (RFC 5625): any type, class, opcode, option and flag, there and back. Equal
 * questions under way share one exchange; answers are kept as long as they allow. Everything is bounded.
 */
import type { Protocol } from "./answer_writer.ts";
import { Exchange, type ExchangeSettings, type Outcome } from "./exchange.ts";
import { ExchangeBudget, type ExchangeHolder } from "./exchange_budget.ts";
import type { Query } from "./query_reader.ts";
import { type ByteBudget, type Kept, ResponseCache } from "./response_cache.ts";
import { ageRecords } from "./response_reader.ts";
import { TYPE_AXFR, TYPE_IXFR } from "./wire.ts";

/** Shared by the pods of an isolate. */
export interface ForwardBudget {
  readonly exchanges: ExchangeBudget;
  readonly cache: ByteBudget;
}

/** For one isolate, however many pods it serves. */
export function newForwardBudget(): ForwardBudget {
  return { exchanges: new ExchangeBudget(), cache: { left: 16 << 20 } };
}

/** Exchanges of one pod. Beyond them its oldest one fails, so that unanswered names do not block the others. */
const MAX_EXCHANGES = 256;
const MAX_WAITING = 2048;
/** Longer questions carry something of their own, which nobody asks for twice. */
const LONGEST_KEY = 512;

/** Told once, perhaps at once, unless aborted. */
export type OnOutcome = (outcome: Outcome) => void;

export interface Waiting {
  /** The client is gone. Idempotent. */
  abort(): void;
}

/** One exchange and those who wait for it. */
interface Shared {
  /** In {@link Forwarder}'s map of what can be shared; null: nobody else may wait for it. */
  readonly key: string | null;
  readonly waiting: Set<OnOutcome>;
  exchange: Exchange | null;
}

export class Forwarder implements ExchangeHolder {
  readonly #settings: ExchangeSettings;
  readonly #budget: ForwardBudget;
  readonly #cache: ResponseCache;
  readonly #shared = new Map<string, Shared>();
  /** All exchanges, also those that are nobody else's. */
  readonly #running = new Set<Shared>();
  #waiting = 0;

  constructor(settings: ExchangeSettings, budget: ForwardBudget) {
    this.#settings = settings;
    this.#budget = budget;
    this.#cache = new ResponseCache(budget.cache);
    budget.exchanges.join(this);
  }

  get exchanges(): number {
    return this.#running.size;
  }

  /** Clients that wait for an answer. */
  get waiting(): number {
    return this.#waiting;
  }

  /** `query`: what `request` asks; null where it is no QUERY. `request` is lent. */
  forward(request: Uint8Array, query: Query | null, protocol: Protocol, done: OnOutcome): Waiting | null {
    const key = query === null || isTransfer(query) ? null : keyOf(request);
    const kept = key === null ? null : this.#cache.get(key, this.#settings.network.now());
    if (kept !== null) {
      done(this.#again(kept, query!));
      return null;
    }
    const running = key === null ? undefined : this.#shared.get(protocol + key);
    if (this.#waiting >= MAX_WAITING) {
      done({ kind: "failed", why: "too many wait for an answer already", overload: true });
      return null;
    }
    if (running !== undefined) return this.#wait(running, done);
    const waiting = this.#wait(this.#begin(request, query, protocol, key), done);
    if (this.#running.size > MAX_EXCHANGES) this.endOldest();
    this.#budget.exchanges.enforce();
    return waiting;
  }

  endOldest(): void {
    for (const shared of this.#running) {
      shared.exchange?.abort();
      return this.#settle(shared, { kind: "failed", why: "it gave way to newer questions", overload: true });
    }
  }

  close(): void {
    for (const shared of this.#running) shared.exchange?.abort();
    this.#budget.exchanges.leave(this);
    this.#running.clear();
    this.#shared.clear();
    this.#cache.clear();
    this.#waiting = 0;
  }

  #begin(request: Uint8Array, query: Query | null, protocol: Protocol, key: string | null): Shared {
    const shared: Shared = { key: key === null ? null : protocol + key, waiting: new Set(), exchange: null };
    this.#running.add(shared);
    if (shared.key !== null) this.#shared.set(shared.key, shared);
    const message = { bytes: request.slice(), questionEnd: query?.questionEnd ?? null };
    shared.exchange = new Exchange(this.#settings, message, protocol, (outcome) => {
      if (outcome.kind === "answer" && key !== null && query!.edns?.hasOptions !== true) {
        this.#cache.keep(key, outcome.full, outcome.short, this.#settings.network.now());
      }
      this.#settle(shared, outcome);
    });
    return shared;
  }

  #settle(shared: Shared, outcome: Outcome): void {
    this.#end(shared);
    for (const done of shared.waiting) {
      this.#waiting--;
      done(outcome);
    }
  }

  #wait(shared: Shared, done: OnOutcome): Waiting {
    // A function of its own for each, so that two clients are never one.
    const own: OnOutcome = (outcome) => done(outcome);
    shared.waiting.add(own);
    this.#waiting++;
    return {
      abort: () => {
        if (!this.#running.has(shared) || !shared.waiting.delete(own)) return;
        this.#waiting--;
        if (shared.waiting.size > 0) return;
        shared.exchange?.abort();
        this.#end(shared);
      },
    };
  }

  #end(shared: Shared): void {
    this.#running.delete(shared);
    if (shared.key !== null) this.#shared.delete(shared.key);
  }

  #again({ full, short, at }: Kept, query: Query): Outcome {
    const age = Math.floor((this.#settings.network.now() - at) / 1000);
    const bytes = full.bytes.slice();
    ageRecords(bytes, query.questionEnd, age);
    return { kind: "answer", full: { ...full, bytes }, short };
  }
}

/** Several messages may make up one answer. */
export function isTransfer({ type }: Query): boolean {
  return type === TYPE_AXFR || type === TYPE_IXFR;
}

/** Everything but the id; null where it is not worth remembering. */
function keyOf(request: Uint8Array): string | null {
  if (request.length > LONGEST_KEY) return null;
  let key = "";
  for (let i = 2; i < request.length; i++) key += String.fromCharCode(request[i]!);
  return key;
}
