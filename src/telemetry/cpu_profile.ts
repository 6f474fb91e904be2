/** Samples the stacks of this isolate with the profiler of the engine, which costs nothing while it is not running. */
import type { Session } from "node:inspector";
import { loadNodeInspector } from "../os/runtime_modules.ts";

/** A node of the tree of stacks. Line numbers begin at 0; -1: none. */
export interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  /** Samples in which it is the innermost frame. */
  readonly hitCount: number;
  readonly children: readonly number[];
}

/** The nodes of a profile; the first one is the root. */
export type CpuProfile = readonly ProfileNode[];

/** The profiler of this isolate. */
export class CpuProfiler {
  #session: Session | null = null;

  /** Begins to sample every `interval` microseconds. No effect while it is running. */
  start(interval: number): void {
    if (this.#session !== null) return;
    const session = this.#session = new (loadNodeInspector().Session)();
    session.connect();
    // Commands are executed at once and in order; only their results arrive later.
    for (const [method, params] of commands(interval)) session.post(method, params, () => {});
  }

  /** Stops and gives the profile to `done`; an empty one where it was not running. */
  stop(done: (profile: CpuProfile) => void): void {
    const session = this.#session;
    this.#session = null;
    if (session === null) return done([]);
    session.post("Profiler.stop", (_error, result) => {
      session.disconnect();
      done((result as StopResult | undefined)?.profile?.nodes.map(plainNode) ?? []);
    });
  }
}

interface StopResult {
  readonly profile?: { readonly nodes: readonly RawNode[] };
}
type RawNode = Omit<ProfileNode, "hitCount" | "children"> & Partial<Pick<ProfileNode, "hitCount" | "children">>;

function commands(interval: number): [string, Record<string, number>][] {
  return [["Profiler.enable", {}], ["Profiler.setSamplingInterval", { interval }], ["Profiler.start", {}]];
}

function plainNode(
  { id, callFrame: { functionName, url, lineNumber }, hitCount = 0, children = [] }: RawNode,
): ProfileNode {
  return { id, callFrame: { functionName, url, lineNumber }, hitCount, children };
}
