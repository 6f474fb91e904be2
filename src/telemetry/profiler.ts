/**
 * Samples what this isolate does with the profilers of the engine: the stacks of running code, or of what allocates
 * memory. They cost nothing while they are not running.
 */
import type { Session } from "node:inspector";
import { loadNodeInspector } from "../os/runtime_modules.ts";
import { type RawHeapProfile, type RawHitNode, type StackProfile, stacksOfCpu, stacksOfHeap } from "./stack_profile.ts";

/**
 * What is sampled. `cpu`: the running function. `live-memory`: what was allocated since the start and is still in use.
 * `all-memory`: the same with what was freed meanwhile.
 */
export type ProfileKind = "cpu" | "live-memory" | "all-memory";

/** The profilers of this isolate, one of which runs at a time. */
export class Profiler {
  #running: { readonly session: Session; readonly kind: ProfileKind } | null = null;

  /**
   * Begins to sample: `cpu` every `interval` microseconds, else once in `interval` bytes on average. No effect while
   * a profile is being taken.
   */
  start(kind: ProfileKind, interval: number): void {
    if (this.#running !== null) return;
    const session = new (loadNodeInspector().Session)();
    this.#running = { session, kind };
    session.connect();
    // Commands are executed at once and in order; only their results arrive later.
    for (const [method, params] of commands(kind, interval)) session.post(method, params, () => {});
  }

  /** Stops and gives the profile to `done`; an empty one where none was being taken. */
  stop(done: (profile: StackProfile) => void): void {
    const running = this.#running;
    this.#running = null;
    if (running === null) return done([]);
    const { session, kind } = running;
    session.post(kind === "cpu" ? "Profiler.stop" : "HeapProfiler.stopSampling", (_error, result) => {
      session.disconnect();
      const profile = (result as StopResult | undefined)?.profile;
      if (profile === undefined) done([]);
      else done("nodes" in profile ? stacksOfCpu(profile.nodes) : stacksOfHeap(profile));
    });
  }
}

interface StopResult {
  readonly profile?: { readonly nodes: readonly RawHitNode[] } | RawHeapProfile;
}

function commands(kind: ProfileKind, interval: number): [string, Record<string, number | boolean>][] {
  if (kind === "cpu") {
    return [["Profiler.enable", {}], ["Profiler.setSamplingInterval", { interval }], ["Profiler.start", {}]];
  }
  const freed = kind === "all-memory";
  return [["HeapProfiler.enable", {}], ["HeapProfiler.startSampling", {
    samplingInterval: interval,
    includeObjectsCollectedByMajorGC: freed,
    includeObjectsCollectedByMinorGC: freed,
  }]];
}
