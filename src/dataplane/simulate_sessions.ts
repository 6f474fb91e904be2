/** The simulations in progress in one isolate. A simulation takes the loop for one slice at a time. */
import type { Config } from "../config/config.ts";
import { ConfigError } from "../config/error.ts";
import { explainSettings } from "../mesh/explain/settings.ts";
import { type RecordedCall, recordedFlow } from "../mesh/simulate/flow_calls.ts";
import type { ListName, SimulationResult } from "../mesh/simulate/result.ts";
import { simulate, type SimulationInput } from "../mesh/simulate/simulation.ts";
import type { Millis } from "../net/clock.ts";
import type { FlowParts } from "../telemetry/flow.ts";
import type { DataPlane } from "./data_plane.ts";
import type { SimulateAnswer, SimulateRequest, SimulateSlice } from "./simulate_messages.ts";

const SLICE_MILLIS: Millis = 3;
/** Changes in one message. */
const PORTION = 50;
const LISTS: readonly ListName[] = ["connections", "flows", "pairs"];

/** What simulations of a data plane evaluate. */
export function simulationSources(plane: DataPlane, config: Config): SimulationSources {
  const { state } = plane;
  const settings = explainSettings(config);
  const recorded = (parts: FlowParts | null) => parts === null ? null : recordedFlow(state, settings, parts);
  return {
    mesh: { state, unknownPolicies: config.unknownPolicies },
    open: () => plane.openFlows(null).map(({ parts }) => recorded(parts)),
    ended: () => plane.flows.past().map(recorded),
  };
}

/** What simulations evaluate. */
interface SimulationSources {
  readonly mesh: Pick<SimulationInput, "state" | "unknownPolicies">;
  open(): Iterable<RecordedCall | null>;
  ended(): Iterable<RecordedCall | null>;
}

type Session = Iterator<SimulateSlice, void, undefined>;

/** Answers the requests of main. */
export class SimulateSessions {
  readonly #sources: SimulationSources;
  readonly #send: (answer: SimulateAnswer) => void;
  readonly #now: () => Millis;
  /** By number. Main runs one at a time and ends each. */
  readonly #sessions = new Map<number, Session>();

  /** `now`: ms since a fixed moment, also within a turn. */
  constructor(sources: SimulationSources, send: (answer: SimulateAnswer) => void, now: () => Millis) {
    this.#sources = sources;
    this.#send = send;
    this.#now = now;
  }

  receive(request: SimulateRequest): void {
    const { simulation } = request;
    switch (request.kind) {
      case "simulate-begin": {
        const { changes, pairs } = request;
        const { mesh, open, ended } = this.#sources;
        this.#sessions.set(simulation, this.#slices({ ...mesh, changes, pairs, open: open(), ended: ended() }));
        return;
      }
      case "simulate-more":
        return this.#send({ simulation, slice: this.#next(simulation) });
      case "simulate-end":
        this.#sessions.delete(simulation);
        return;
      default:
        request satisfies never;
    }
  }

  /** An exception fails the simulation and not the worker. */
  #next(simulation: number): SimulateSlice {
    try {
      const next = this.#sessions.get(simulation)?.next();
      if (next === undefined || next.done) throw new Error("there is nothing more to simulate");
      return next.value;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return { kind: "failed", message, isMistake: error instanceof ConfigError };
    }
  }

  *#slices(input: SimulationInput): Generator<SimulateSlice, void, undefined> {
    const steps = simulate(input);
    let result: SimulationResult | null = null;
    while (result === null) {
      const end = this.#now() + SLICE_MILLIS;
      do {
        const step = steps.next();
        if (step.done) result = step.value;
      } while (result === null && this.#now() < end);
      yield { kind: "running" };
    }
    for (const list of LISTS) {
      const { changes } = result[list] ?? { changes: [] };
      while (changes.length > 0) yield { kind: "changes", list, changes: changes.splice(0, PORTION) };
    }
    yield { kind: "ended", result };
  }
}
