/**
 * Who waits for which name, on demand (`docs/spec/xds-state.md` 2.9, `docs/spec/observed.md` O3).
 *
 * On one stream istiod answers a name once: with resources that have it as name or alias, or as removed. It answers
 * nothing where it counts the name as subscribed already, and does not say when an unknown one appears, nor when a
 * known service gets another workload. So a name is asked for once on each stream, what was answered is remembered for
 * as long as the stream, and to ask again takes a new stream. A pod that scans the network asks for names without end: all that grows with them has a limit.
 */
import type { KnownResources } from "./known_resources.ts";

/** How a demand ended. */
export type DemandAnswer =
  /** Look again: what the control plane knows under this name has been applied. */
  | "known"
  /** The control plane knows nothing under this name. */
  | "absent"
  /** No answer in time: nobody can say whether there is such a thing. */
  | "expired"
  /** Too many are waiting, or the name cannot be one. */
  | "refused";

/** What the caller has to do for a demand: nothing, send a request for the name, or open the stream anew. */
export type DemandStep = "nothing" | "ask" | "reopen";

export interface DemandLimits {
  /** ms until a waiter is told `expired`. */
  readonly timeout: number;
  /** Waiters at the same time. */
  readonly waiters: number;
  /** Names asked for on one stream. */
  readonly asked: number;
  /** ms before an `absent` is worth another stream, and that a stream lives at least before that is done. */
  readonly reopenAfter: number;
  /**
   * The same where the limit {@link asked} is reached, and where something that is held is of no use; there it is doubled
   * each time, up to {@link reopenAfter}.
   */
  readonly refreshAfter: number;
}

export const DEMAND_LIMITS: DemandLimits = {
  timeout: 10_000,
  waiters: 10_000,
  asked: 50_000,
  reopenAfter: 300_000,
  refreshAfter: 15_000,
};

/** Names of the control plane are at most a cluster, a kind, a namespace and a host name long. */
const NAME_MAX = 1024;

interface Waiter {
  readonly name: string;
  readonly deadline: number;
  readonly onAnswer: (answer: DemandAnswer) => void;
}

export class Demands {
  readonly #known: KnownResources;
  readonly #limits: DemandLimits;
  /** By their deadline, as all wait equally long. */
  readonly #waiters = new Set<Waiter>();
  readonly #byName = new Map<string, Waiter[]>();
  /** Names asked for on this stream, and what came of it; a number: the time when they were said to be absent. */
  readonly #asked = new Map<string, "pending" | "answered" | number>();
  /** Null: there is no stream. */
  #openedAt: number | null = null;
  #refreshAfter: number;

  constructor(known: KnownResources, limits: DemandLimits = DEMAND_LIMITS) {
    this.#known = known;
    this.#limits = limits;
    this.#refreshAfter = limits.refreshAfter;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  /** Names that are remembered for this stream. */
  get asked(): number {
    return this.#asked.size;
  }

  /**
   * `onAnswer` is called once: now, or when something of this class is called. Who asks for something that is held has
   * no use for it as it is: a service without endpoints.
   */
  demand(name: string, now: number, onAnswer: (answer: DemandAnswer) => void): DemandStep {
    if (this.#known.has(name)) return this.#askForMore(name, now, onAnswer);
    if (name.length > NAME_MAX || this.#waiters.size >= this.#limits.waiters) return tell(onAnswer, "refused");
    if (this.#openedAt === null) return this.#wait(name, now, onAnswer, "nothing");
    const asked = this.#asked.get(name);
    switch (asked) {
      case undefined:
        // Somebody scans. Others must not be refused for as long as it pays to ask for the same name again.
        if (this.#asked.size >= this.#limits.asked) {
          return this.#askAnew(name, now, onAnswer, "refused", this.#limits.refreshAfter);
        }
        this.#asked.set(name, "pending");
        return this.#wait(name, now, onAnswer, "ask");
      case "pending":
        return this.#wait(name, now, onAnswer, "nothing");
      case "answered":
        // With something that was refused, or has lost this name: it will not be said again.
        return tell(onAnswer, "known");
      default:
        if (now - asked < this.#limits.reopenAfter) return tell(onAnswer, "absent");
        return this.#askAnew(name, now, onAnswer, "absent", this.#limits.reopenAfter);
    }
  }

  /** A service that nobody serves any more may be called for ever, by many. */
  #askForMore(name: string, now: number, onAnswer: (answer: DemandAnswer) => void): DemandStep {
    const isSoon = this.#openedAt === null || now - this.#openedAt < this.#refreshAfter;
    if (isSoon || this.#waiters.size >= this.#limits.waiters) return tell(onAnswer, "known");
    this.#refreshAfter = Math.min(2 * this.#refreshAfter, this.#limits.reopenAfter);
    return this.#wait(name, now, onAnswer, "reopen");
  }

  /** A new stream for a name is for those who can wait for its turn: streams live a while. */
  #askAnew(
    name: string,
    now: number,
    onAnswer: (answer: DemandAnswer) => void,
    otherwise: DemandAnswer,
    age: number,
  ): DemandStep {
    const young = now - this.#openedAt! < age;
    return young ? tell(onAnswer, otherwise) : this.#wait(name, now, onAnswer, "reopen");
  }

  /** A stream begins. Returns the names that are waited for: they go into its first request. */
  opened(now: number): Iterable<string> {
    this.#asked.clear();
    this.#openedAt = now;
    const names = [...this.#byName.keys()];
    for (const name of names) this.#asked.set(name, "pending");
    return names;
  }

  /** What the stream said is forgotten; who waits goes on waiting. */
  closed(): void {
    this.#openedAt = null;
    this.#asked.clear();
  }

  /** A response with this name or alias was applied. */
  arrived(name: string): void {
    if (this.#asked.has(name)) this.#asked.set(name, "answered");
    this.#answer(name, "known");
  }

  /** The control plane said that there is no such thing (any more). */
  removed(name: string, now: number): void {
    // Names that nobody asked for come as removed, too: those need not be remembered.
    if (this.#asked.has(name)) this.#asked.set(name, now);
    this.#answer(name, "absent");
  }

  /** Something is gone that was held: what comes in its place is worth asking for soon. */
  lost(): void {
    this.#refreshAfter = this.#limits.refreshAfter;
  }

  /** Tells those who have waited long enough. */
  expire(now: number): void {
    for (const waiter of this.#waiters) {
      if (waiter.deadline > now) return;
      this.#waiters.delete(waiter);
      const others = this.#byName.get(waiter.name)!.filter((other) => other !== waiter);
      if (others.length === 0) this.#byName.delete(waiter.name);
      else this.#byName.set(waiter.name, others);
      waiter.onAnswer("expired");
    }
  }

  /** When {@link expire} has something to do next; null: not before another demand. */
  nextExpiry(): number | null {
    for (const { deadline } of this.#waiters) return deadline;
    return null;
  }

  /** Nobody will be answered any more. */
  close(): void {
    this.closed();
    for (const name of [...this.#byName.keys()]) this.#answer(name, "refused");
  }

  #wait(name: string, now: number, onAnswer: (answer: DemandAnswer) => void, step: DemandStep): DemandStep {
    const waiter: Waiter = { name, deadline: now + this.#limits.timeout, onAnswer };
    this.#waiters.add(waiter);
    const others = this.#byName.get(name);
    if (others === undefined) this.#byName.set(name, [waiter]);
    else others.push(waiter);
    return step;
  }

  #answer(name: string, answer: DemandAnswer): void {
    const waiters = this.#byName.get(name);
    if (waiters === undefined) return;
    this.#byName.delete(name);
    for (const waiter of waiters) {
      this.#waiters.delete(waiter);
      waiter.onAnswer(answer);
    }
  }
}

function tell(onAnswer: (answer: DemandAnswer) => void, answer: DemandAnswer): "nothing" {
  onAnswer(answer);
  return "nothing";
}
