/**
 * Profiles in the format of pprof (`profile.proto` of github.com/google/pprof), uncompressed. One sample for each stack
 * and thread, with the thread as a label.
 */
import protobuf from "../../proto/runtime.ts";
import type { CpuProfile, ProfileNode } from "../telemetry/cpu_profile.ts";

export interface ThreadProfile {
  readonly thread: string;
  readonly profile: CpuProfile;
}

export interface PprofTimes {
  /** Nanoseconds between two samples. */
  readonly period: number;
  /** Milliseconds since 1970. */
  readonly start: number;
  /** Milliseconds. */
  readonly duration: number;
}

/** Field numbers of `Profile`. */
const PROFILE = {
  sampleType: 1,
  sample: 2,
  location: 4,
  function: 5,
  strings: 6,
  time: 9,
  duration: 10,
  periodType: 11,
  period: 12,
};

/** Frames of the engine that stand for doing nothing. */
const IDLE: ReadonlySet<string> = new Set(["(root)", "(program)", "(idle)"]);

export function encodePprof(threads: readonly ThreadProfile[], { period, start, duration }: PprofTimes): Uint8Array {
  const tables = new Tables();
  const out = protobuf.Writer.create();
  message(out, PROFILE.sampleType, (w) => valueType(w, tables, "samples", "count"));
  message(out, PROFILE.sampleType, (w) => valueType(w, tables, "wall", "nanoseconds"));
  for (const { thread, profile } of threads) {
    for (const { stack, hits } of stacksOf(profile)) {
      message(out, PROFILE.sample, (w) => sample(w, tables, thread, stack, hits, period));
    }
  }
  tables.write(out);
  integer(out, PROFILE.time, start * 1e6);
  integer(out, PROFILE.duration, duration * 1e6);
  message(out, PROFILE.periodType, (w) => valueType(w, tables, "wall", "nanoseconds"));
  integer(out, PROFILE.period, period);
  // Last, as everything before adds to it; the order of fields means nothing.
  for (const text of tables.strings) out.uint32(PROFILE.strings << 3 | 2).string(text);
  return out.finish();
}

/** Innermost frame first. */
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

/** `Sample`: location ids, values, labels. */
function sample(
  out: protobuf.Writer,
  tables: Tables,
  thread: string,
  stack: readonly ProfileNode[],
  hits: number,
  period: number,
): void {
  packed(out, 1, stack.map((node) => tables.location(node)));
  packed(out, 2, [hits, hits * period]);
  message(out, 3, (w) => {
    integer(w, 1, tables.string("thread"));
    integer(w, 2, tables.string(thread));
  });
}

/** Texts, functions and places, each written once. */
class Tables {
  readonly #strings = new Map<string, number>([["", 0]]);
  readonly #functions = new Map<string, { id: number; name: number; file: number; line: number }>();
  /** By function and line; the value is the id. */
  readonly #locations = new Map<string, { id: number; function: number; line: number }>();

  get strings(): Iterable<string> {
    return this.#strings.keys();
  }

  string(text: string): number {
    const known = this.#strings.get(text) ?? this.#strings.size;
    this.#strings.set(text, known);
    return known;
  }

  location({ callFrame: { functionName, url, lineNumber } }: ProfileNode): number {
    const key = `${functionName} ${url}:${lineNumber}`;
    const known = this.#locations.get(key);
    if (known !== undefined) return known.id;
    const id = this.#locations.size + 1;
    const line = Math.max(0, lineNumber + 1);
    const file = this.string(url);
    this.#functions.set(key, { id, name: this.string(functionName || "(anonymous)"), file, line });
    this.#locations.set(key, { id, function: id, line });
    return id;
  }

  write(out: protobuf.Writer): void {
    for (const { id, function: of, line } of this.#locations.values()) {
      message(out, PROFILE.location, (w) => {
        integer(w, 1, id);
        message(w, 4, (each) => {
          integer(each, 1, of);
          integer(each, 2, line);
        });
      });
    }
    for (const { id, name, file, line } of this.#functions.values()) {
      message(out, PROFILE.function, (w) => {
        for (const [field, value] of [[1, id], [2, name], [3, name], [4, file], [5, line]] as const) {
          integer(w, field, value);
        }
      });
    }
  }
}

function valueType(out: protobuf.Writer, tables: Tables, type: string, unit: string): void {
  integer(out, 1, tables.string(type));
  integer(out, 2, tables.string(unit));
}

function message(out: protobuf.Writer, field: number, write: (inner: protobuf.Writer) => void): void {
  write(out.uint32(field << 3 | 2).fork());
  out.ldelim();
}

function integer(out: protobuf.Writer, field: number, value: number): void {
  out.uint32(field << 3).int64(value);
}

function packed(out: protobuf.Writer, field: number, values: readonly number[]): void {
  out.uint32(field << 3 | 2).fork();
  for (const value of values) out.int64(value);
  out.ldelim();
}
