/**
 * Forwards what is not answered here, byte for byte (RFC 5625): any type, class, opcode, option and flag, in both
 * directions. Equal questions in flight share one exchange; responses are cached for their TTL. Everything is bounded.
 */
import type { Protocol } from "./answer_writer.ts";
import { Exchange, type ExchangeSettings, type Outcome } from "./exchange.ts";
import { ExchangeBudget, type ExchangeHolder } from "./exchange_budget.ts";
import type { Query } from "./query_reader.ts";
import { type ByteBudget, type CachedResponse, ResponseCache } from "./response_cache.ts";
import { ageRecords } from "./response_reader.ts";
import { TYPE_AXFR, TYPE_IXFR } from "./wire.ts";

/** Limits that the pods of an isolate share. */
export interface ForwardBudget {
  readonly exchanges: ExchangeBudget;
  readonly cache: ByteBudget;
}

/** The limits of one isolate, for any number of pods. */
export function newForwardBudget(): ForwardBudget {
  return { exchanges: new ExchangeBudget(), cache: { left: 16 << 20 } };
}

/** Exchanges of one pod. When there are more, the oldest fails, so that unanswered names do not block other names. */
const MAX_EXCHANGES = 256;
/** Clients of one pod that wait for an exchange. */
const MAX_WAITING = 2048;
/**
 * Longest question that is cached or shared, in bytes. Longer ones have individual content that is not asked for again.
 */
const LONGEST_KEY = 512;

/** Called once, possibly from inside `forward`, unless aborted. */
type OnOutcome = (outcome: Outcome) => void;

/** A query that waits for its answer. */
export interface PendingQuery {
  /** The client no longer waits: no callback will be called. Idempotent. */
  abort(): void;
}

/** An exchange and the callbacks that wait for it. */
interface SharedExchange {
  /** Key among the exchanges that can be shared; null: not to be shared. */
  readonly key: string | null;
  readonly waiting: Set<OnOutcome>;
  exchange: Exchange | null;
}

/** Forwards the queries of one pod. */
export class Forwarder implements ExchangeHolder {
  readonly #settings: ExchangeSettings;
  readonly #budget: ForwardBudget;
  readonly #cache: ResponseCache;
  readonly #shared = new Map<string, SharedExchange>();
  /** All exchanges, including those that cannot be shared; the oldest first. */
  readonly #running = new Set<SharedExchange>();
  #waiting = 0;

  constructor(settings: ExchangeSettings, budget: ForwardBudget) {
    this.#settings = settings;
    this.#budget = budget;
    this.#cache = new ResponseCache(budget.cache);
    budget.exchanges.add(this);
  }

  get exchanges(): number {
    return this.#running.size;
  }

  /** Clients that wait for an answer. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Forwards a message. `query`: its question; null where it is no QUERY. `request` is lent for this call. Null is
   * returned where `done` was called already.
   */
  forward(request: Uint8Array, query: Query | null, protocol: Protocol, done: OnOutcome): PendingQuery | null {
    const key = query === null || isTransfer(query) ? null : keyOf(request);
    const cached = key === null ? null : this.#cache.get(key, this.#settings.network.now());
    if (cached !== null) {
      done(this.#fromCache(cached, query!));
      return null;
    }
    const running = key === null ? undefined : this.#shared.get(protocol + key);
    if (this.#waiting >= MAX_WAITING) {
      done({ kind: "failed", why: "too many queries wait for an answer already", overload: true });
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
      return this.#settle(shared, { kind: "failed", why: "displaced by a newer question", overload: true });
    }
  }

  /** Ends all exchanges without calling callbacks. */
  close(): void {
    for (const shared of this.#running) shared.exchange?.abort();
    this.#budget.exchanges.remove(this);
    this.#running.clear();
    this.#shared.clear();
    this.#cache.clear();
    this.#waiting = 0;
  }

  #begin(request: Uint8Array, query: Query | null, protocol: Protocol, key: string | null): SharedExchange {
    const shared: SharedExchange = { key: key === null ? null : protocol + key, waiting: new Set(), exchange: null };
    this.#running.add(shared);
    if (shared.key !== null) this.#shared.set(shared.key, shared);
    const message = { bytes: request.slice(), questionEnd: query?.questionEnd ?? null };
    shared.exchange = new Exchange(this.#settings, message, protocol, (outcome) => {
      if (outcome.kind === "answer" && key !== null && query!.edns?.hasOptions !== true) {
        this.#cache.store(key, outcome.full, outcome.short, this.#settings.network.now());
      }
      this.#settle(shared, outcome);
    });
    return shared;
  }

  #settle(shared: SharedExchange, outcome: Outcome): void {
    this.#end(shared);
    for (const done of shared.waiting) {
      this.#waiting--;
      done(outcome);
    }
  }

  #wait(shared: SharedExchange, done: OnOutcome): PendingQuery {
    // A new function for each client, since one client may pass the same function twice.
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

  #end(shared: SharedExchange): void {
    this.#running.delete(shared);
    if (shared.key !== null) this.#shared.delete(shared.key);
  }

  #fromCache({ full, short, at }: CachedResponse, query: Query): Outcome {
    const age = Math.floor((this.#settings.network.now() - at) / 1000);
    const bytes = full.bytes.slice();
    ageRecords(bytes, query.questionEnd, age);
    return { kind: "answer", full: { ...full, bytes }, short };
  }
}

/** Whether the query is a zone transfer, whose response may have several messages. */
export function isTransfer({ type }: Query): boolean {
  return type === TYPE_AXFR || type === TYPE_IXFR;
}

/** All of the message except its id; null where it is too long to be cached or shared. */
function keyOf(request: Uint8Array): string | null {
  if (request.length > LONGEST_KEY) return null;
  let key = "";
  for (let i = 2; i < request.length; i++) key += String.fromCharCode(request[i]!);
  return key;
}
