/**
 * The live heap of each isolate of a process, from the lines that V8 prints with `--trace-gc`. Only a full collection
 * (Mark-Compact) removes everything that is not reachable, so only its result counts.
 */
import { existsSync } from "node:fs";

const MARK_COMPACT = /^\[\d+:(0x[0-9a-f]+)\] .*?: Mark-Compact .*?-> ([\d.]+) \(/;

/** The library of `stdbuf` (coreutils). */
const STDBUF = ["/usr/libexec/coreutils/libstdbuf.so", "/usr/lib/coreutils/libstdbuf.so"];

/**
 * Environment variables with which a Deno program prints these lines; none where `stdbuf` is not installed. `whole`:
 * each collection is a full one, which removes the noise of garbage that was not collected yet. Otherwise a proxy with
 * little to do has a full collection in an hour, or none.
 */
export function traceHeap({ whole }: { readonly whole: boolean }): Record<string, string> {
  const library = STDBUF.find((path) => existsSync(path));
  if (library === undefined) return {};
  return {
    DENO_V8_FLAGS: `--trace-gc${whole ? ",--gc-global" : ""}`,
    // Without it, the C library writes 4 KiB at a time to a pipe, so that parts of a line would mix with log lines.
    LD_PRELOAD: library,
    _STDBUF_O: "L",
  };
}

/** The heaps of a process. */
export class HeapTrace {
  readonly #megabytes = new Map<string, number>();

  /** Reads a line of the output; other lines than those of V8 are ignored. */
  read(line: string): void {
    const [, isolate, size] = MARK_COMPACT.exec(line) ?? [];
    if (isolate !== undefined) this.#megabytes.set(isolate, Number(size));
  }

  /** MB after the last full collection of each isolate, in the order of their first one. */
  get megabytes(): readonly number[] {
    return [...this.#megabytes.values()];
  }
}
