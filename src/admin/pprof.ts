/**
 * Writes profiles in the format of pprof (`profile.proto` of github.com/google/pprof), uncompressed. There is one
 * sample per stack and thread, with the thread as a label.
 */
import { type FunctionInput, type LocationInput, Profile, StringTable } from "pprof-format";
import type { ProfileKind } from "../telemetry/profiler.ts";
import type { StackNode, StackProfile } from "../telemetry/stack_profile.ts";

/** The profile of one thread. */
export interface ThreadProfile {
  readonly thread: string;
  readonly profile: StackProfile;
}

/** What was sampled, and when. */
interface PprofHead {
  readonly what: ProfileKind;
  /** Nanoseconds between two samples, or bytes. */
  readonly period: number;
  /** Milliseconds since 1970. */
  readonly start: number;
  /** Milliseconds. */
  readonly duration: number;
}

/** Frames of the engine that mean idle time in a profile of running code, and nothing in any. */
const IDLE: ReadonlySet<string> = new Set(["(root)", "(program)", "(idle)"]);
const NOTHING: ReadonlySet<string> = new Set(["(root)"]);

/** Names that tools of pprof know. */
const VALUES = {
  cpu: ["wall", "nanoseconds"],
  "live-memory": ["inuse_space", "bytes"],
  "all-memory": ["alloc_space", "bytes"],
} as const satisfies Record<ProfileKind, readonly [string, string]>;

/** The bytes of a profile. */
export function encodePprof(
  threads: readonly ThreadProfile[],
  { what, period, start, duration }: PprofHead,
): Uint8Array {
  const tables = new Tables();
  const [type, unit] = VALUES[what];
  const value = { type: tables.text(type), unit: tables.text(unit) };
  const ignored = what === "cpu" ? IDLE : NOTHING;
  const sample = threads.flatMap(({ thread, profile }) =>
    [...stacksOf(profile, ignored)].map(({ stack, leaf: { count, bytes } }) => ({
      locationId: stack.map((node) => tables.location(node)),
      value: [count, what === "cpu" ? count * period : bytes],
      label: [{ key: tables.text("thread"), str: tables.text(thread) }],
    }))
  );
  return new Profile({
    sampleType: [{ type: tables.text("samples"), unit: tables.text("count") }, value],
    sample,
    location: tables.locations,
    function: tables.functions,
    stringTable: tables.strings,
    timeNanos: BigInt(start) * 1_000_000n,
    durationNanos: duration * 1e6,
    periodType: value,
    period,
  }).encode();
}

/** The stacks, innermost frame first, without frames whose name is in `ignored`. */
function* stacksOf(
  profile: StackProfile,
  ignored: ReadonlySet<string>,
): Iterable<{ stack: readonly StackNode[]; leaf: StackNode }> {
  const parents = new Map<number, StackNode>();
  for (const node of profile) for (const child of node.children) parents.set(child, node);
  for (const leaf of profile) {
    if (leaf.count === 0 || ignored.has(leaf.callFrame.functionName)) continue;
    const stack: StackNode[] = [];
    for (let at: StackNode | undefined = leaf; at !== undefined; at = parents.get(at.id)) {
      if (!ignored.has(at.callFrame.functionName)) stack.push(at);
    }
    yield { stack, leaf };
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

  location({ callFrame: { functionName, url, lineNumber } }: StackNode): number {
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
