/**
 * One dial in the network in memory.
 *
 *     dialling ──refused, timeout──▶ over
 *         │  └────────abort────────▶ over
 *         ▼
 *     connected (the listener accepts) ──onConnect──▶ over
 *         └─────────────────abort───────────────────────▶ over
 */
import type { Millis, Timer } from "../clock.ts";
import type { SocketAddress } from "../address.ts";
import type { Ending } from "../duplex.ts";
import { DIAL_TIMEOUT } from "../endings.ts";
import { REFUSED } from "./memory_endings.ts";
import type { MemoryDuplex } from "./memory_duplex.ts";
import type { MemoryScheduler } from "./memory_scheduler.ts";
import type { Dial, DialEvents, DialOptions, TurnTask } from "../network.ts";

/** `docs/spec/dataplane.md` 0: upstream TCP connect timeout. */
const DEFAULT_TIMEOUT: Millis = 10_000;

/** The result of a dial: our end of the connection, a refusal, or no answer. */
export type DialAnswer = MemoryDuplex | "refused" | "silence";

/**
 * Connects in the next turn, and notifies the dialler in the turn after it. An address that does not answer is asked
 * again by the next attempt only.
 */
export class MemoryDial implements Dial, TurnTask {
  readonly #scheduler: MemoryScheduler;
  readonly #answer: () => DialAnswer;
  readonly #events: DialEvents;
  readonly #attemptTimeout: Millis | undefined;
  #timer: Timer;
  #state: { at: "dialling" } | { at: "connected"; duplex: MemoryDuplex } | { at: "over" } = { at: "dialling" };

  constructor(
    scheduler: MemoryScheduler,
    { timeout, attemptTimeout }: DialOptions,
    answer: () => DialAnswer,
    events: DialEvents,
  ) {
    this.#scheduler = scheduler;
    this.#attemptTimeout = attemptTimeout;
    this.#answer = answer;
    this.#events = events;
    this.#timer = this.#attempt(timeout ?? DEFAULT_TIMEOUT);
  }

  abort(): void {
    const state = this.#state;
    this.#over();
    if (state.at === "connected") state.duplex.close();
  }

  runTurn(): void {
    switch (this.#state.at) {
      case "dialling":
        return this.#dial();
      case "connected": {
        const { duplex } = this.#state;
        this.#over();
        return this.#events.onConnect(duplex);
      }
      case "over":
        return;
      default:
        return this.#state satisfies never;
    }
  }

  /** `left`: ms until the dial has failed. */
  #attempt(left: Millis): Timer {
    this.#scheduler.report(this);
    const limit = Math.min(left, this.#attemptTimeout ?? left);
    return this.#scheduler.after(limit, () => {
      if (limit === left) this.#fail(DIAL_TIMEOUT);
      else this.#timer = this.#attempt(left - limit);
    });
  }

  #dial(): void {
    const answer = this.#answer();
    if (answer === "silence") return;
    if (answer === "refused") return this.#fail(REFUSED);
    this.#state = { at: "connected", duplex: answer };
    this.#scheduler.report(this);
  }

  #fail(ending: Ending): void {
    this.abort();
    this.#events.onDialFailure(ending);
  }

  #over(): void {
    this.#state = { at: "over" };
    this.#timer.cancel();
  }
}

/** As an iptables REDIRECT: returns where a dial is redirected, or null for a dial that is not. */
export type RedirectRule = (dial: {
  readonly to: SocketAddress;
  /** The namespace of the dialling socket. */
  readonly namespace: number;
  readonly mark: number | null;
}) => SocketAddress | null;
