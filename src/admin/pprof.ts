/**
 * Writes profiles in the format of pprof (`profile.proto` of github.com/google/pprof), uncompressed. There is one
 * sample per stack and thread, with the thread as a label.
 */
import { type FunctionInput, type LocationInput, Profile, StringTable } from "pprof-format";
import type { CpuProfile, ProfileNode } from "../telemetry/cpu_profile.ts";

/** The profile of one thread. */
export interface ThreadProfile {
  readonly thread: string;
  readonly profile: CpuProfile;
}

/** When the samples were taken. */
interface PprofTimes {
  /** Nanoseconds between two samples. */
  readonly period: number;
  /** Milliseconds since 1970. */
  readonly start: number;
  /** Milliseconds. */
  readonly duration: number;
}

/** Frames of the engine that mean idle time. */
const IDLE: ReadonlySet<string> = new Set(["(root)", "(program)", "(idle)"]);

/** The bytes of a profile. */
export function encodePprof(threads: readonly ThreadProfile[], { period, start, duration }: PprofTimes): Uint8Array {
  const tables = new Tables();
  const wall = { type: tables.text("wall"), unit: tables.text("nanoseconds") };
  const sample = threads.flatMap(({ thread, profile }) =>
    [...stacksOf(profile)].map(({ stack, hits }) => ({
      locationId: stack.map((node) => tables.location(node)),
      value: [hits, hits * period],
      label: [{ key: tables.text("thread"), str: tables.text(thread) }],
    }))
  );
  return new Profile({
    sampleType: [{ type: tables.text("samples"), unit: tables.text("count") }, wall],
    sample,
    location: tables.locations,
    function: tables.functions,
    stringTable: tables.strings,
    timeNanos: BigInt(start) * 1_000_000n,
    durationNanos: duration * 1e6,
    periodType: wall,
    period,
  }).encode();
}

/** The stacks, innermost frame first, with their number of samples. */
function* stacksOf(profile: CpuProfile): Iterable<{ stack: readonly ProfileNode[]; hits: number }> {
  const parents = new Map<number, ProfileNode>();
  for (const node of profile) for (const child of node.children) parents.set(child, node);
  for (const leaf of profile) {
    if (leaf.hitCount === 0 || IDLE.has(leaf.callFrame.functionName)) continue;
    const stack: ProfileNode[] = [];
    for (let at: ProfileNode | undefined = leaf; at !== undefined; at = parents.get(at.id)) {
      if (!IDLE.has(at.callFrame.functionName)) stack.push(at);
    }
    yield { stack, hits: leaf.hitCount };
  }
}

/** The tables of texts, functions and locations, without duplicates. */
class Tables {
  readonly strings = new StringTable();
  readonly functions: FunctionInput[] = [];
  readonly locations: LocationInput[] = [];
  /** Ids by function and line. A function and its location have the same id. */
  readonly #ids = new Map<string, number>();

  text(text: string): number {
    return this.strings.dedup(text);
  }

  location({ callFrame: { functionName, url, lineNumber } }: ProfileNode): number {
    const key = `${functionName} ${url}:${lineNumber}`;
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = this.#ids.size + 1;
    this.#ids.set(key, id);
    const line = Math.max(0, lineNumber + 1);
    const name = this.text(functionName || "(anonymous)");
    this.functions.push({ id, name, systemName: name, filename: this.text(url), startLine: line });
    this.locations.push({ id, line: [{ functionId: id, line }] });
    return id;
  }
}
