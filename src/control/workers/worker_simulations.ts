/** The main isolate's side of the simulations of one worker: it requests slices one by one. */
import { ConfigError } from "../../config/error.ts";
import type { SimulateAnswer, SimulateRequest, SimulateSlice } from "../../dataplane/simulate_messages.ts";
import type { PolicyChanges } from "../../mesh/simulate/policy_changes.ts";
import type { SimulationResult } from "../../mesh/simulate/result.ts";
import { PendingReplies } from "./pending_replies.ts";

/** The simulations of one worker. */
export class WorkerSimulations {
  readonly #send: (request: SimulateRequest) => void;
  readonly #slices = new PendingReplies<SimulateSlice>();

  constructor(send: (request: SimulateRequest) => void) {
    this.#send = send;
  }

  receive({ simulation, slice }: SimulateAnswer): void {
    this.#slices.settle(simulation, slice);
  }

  /** `pairs`: whether pairs are compared too. Rejects with `ConfigError` where the changes cannot be applied. */
  async run(changes: PolicyChanges, pairs: boolean): Promise<SimulationResult> {
    const simulation = this.#slices.next();
    this.#send({ kind: "simulate-begin", simulation, changes, pairs });
    const portions: Extract<SimulateSlice, { kind: "changes" }>[] = [];
    try {
      for (;;) {
        const reply = this.#slices.wait(simulation);
        this.#send({ kind: "simulate-more", simulation });
        const slice = await reply;
        switch (slice.kind) {
          case "running":
            break;
          case "changes":
            portions.push(slice);
            break;
          case "ended":
            for (const portion of portions) slice.result[portion.list]?.changes.push(...portion.changes);
            return slice.result;
          case "failed":
            throw slice.isMistake ? new ConfigError(slice.message) : new Error(slice.message);
          default:
            slice satisfies never;
        }
      }
    } finally {
      this.#slices.abandon(simulation);
      this.#send({ kind: "simulate-end", simulation });
    }
  }
}
