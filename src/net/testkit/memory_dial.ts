/**
 * One dial in the in-memory network.
 *
 *     dialling ──refused, timeout──▶ over
 *         │  └────────abort────────▶ over
 *         ▼
 *     connected (the listener's turn to accept) ──told──▶ over
 *         └─────────────────abort───────────────────────▶ over
 */
import type { Millis, Timer } from "../clock.ts";
import type { SocketAddress } from "../address.ts";
import type { Ending } from "../duplex.ts";
import { DIAL_TIMEOUT, REFUSED } from "./memory_endings.ts";
import type { MemoryDuplex } from "./memory_duplex.ts";
import type { MemoryScheduler } from "./memory_scheduler.ts";
import type { Dial, DialEvents, TurnTask } from "../network.ts";

/** `docs/spec/dataplane.md` 0: upstream TCP connect timeout. */
const DEFAULT_TIMEOUT: Millis = 10_000;

/** What the network answers to a SYN: our end of the connection, a refusal, or nothing at all. */
export type DialAnswer = MemoryDuplex | "refused" | "silence";

export class MemoryDial implements Dial, TurnTask {
  readonly #scheduler: MemoryScheduler;
  readonly #ask: () => DialAnswer;
  readonly #events: DialEvents;
  readonly #timer: Timer;
  #state: { at: "dialling" } | { at: "connected"; duplex: MemoryDuplex } | { at: "over" } = { at: "dialling" };

  constructor(scheduler: MemoryScheduler, timeout: Millis | undefined, ask: () => DialAnswer, events: DialEvents) {
    this.#scheduler = scheduler;
    this.#ask = ask;
    this.#events = events;
    this.#timer = scheduler.after(timeout ?? DEFAULT_TIMEOUT, () => this.#fail(DIAL_TIMEOUT));
    scheduler.report(this);
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

  #dial(): void {
    const answer = this.#ask();
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

/** Where a redirected dial lands, or null to leave it alone: iptables REDIRECT in one function. */
export type RedirectRule = (dial: {
  readonly to: SocketAddress;
  /** Of the dialling socket. */
  readonly namespace: number;
  readonly mark: number | null;
}) => SocketAddress | null;
