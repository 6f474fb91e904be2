/** Sampling of this isolate's stacks by the engine's own profiler. Costs nothing while nobody asks. */
import type { Session } from "node:inspector";
import process from "node:process";

/** A place in the tree of stacks. Line numbers begin at 0; -1: none. */
export interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  /** Samples whose innermost frame it was. */
  readonly hitCount: number;
  readonly children: readonly number[];
}

/** The first node is the root. */
export type CpuProfile = readonly ProfileNode[];

export class CpuProfiler {
  #session: Session | null = null;

  /** Begins to sample every `interval` microseconds; what is running already goes on. */
  start(interval: number): void {
    if (this.#session !== null) return;
    // Loaded when it is asked for: each isolate would hold 1.5 MB of it.
    const session = this.#session = new (process.getBuiltinModule("node:inspector").Session)();
    session.connect();
    // Commands are carried out at once and in order, only their answers come later.
    for (const [method, params] of commands(interval)) session.post(method, params, () => {});
  }

  /** `done` with an empty profile where nothing was running. */
  stop(done: (profile: CpuProfile) => void): void {
    const session = this.#session;
    this.#session = null;
    if (session === null) return done([]);
    session.post("Profiler.stop", (_error, answer) => {
      session.disconnect();
      done((answer as Answer | undefined)?.profile?.nodes.map(plainNode) ?? []);
    });
  }
}

interface Answer {
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
