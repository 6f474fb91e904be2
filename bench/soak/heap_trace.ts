/**
 * The heap of each isolate of a process, from the lines that V8 prints with `--trace-gc`. Only a full collection
 * (Mark-Compact) removes everything that is not reachable, so only its result says what is in use.
 */
import { existsSync } from "node:fs";

const COLLECTION = /^\[\d+:(0x[0-9a-f]+)\] .*?: (Mark-Compact|Scavenge) .*?-> ([\d.]+) \(([\d.]+)\) MB/;
/** V8 prints 2^20 bytes as MB. */
const MIB = (1 << 20) / 1e6;

/** The library of `stdbuf` (coreutils). */
const STDBUF = ["/usr/libexec/coreutils/libstdbuf.so", "/usr/lib/coreutils/libstdbuf.so"];

/**
 * Environment variables with which a Deno program prints these lines; none where `stdbuf` is not installed. `full`:
 * each collection is a full one, which removes the noise of garbage that was not collected yet. Otherwise a proxy with
 * little to do has a full collection in an hour, or none.
 */
export function traceHeap({ full }: { readonly full: boolean }): Record<string, string> {
  const library = STDBUF.find((path) => existsSync(path));
  if (library === undefined) return {};
  return {
    DENO_V8_FLAGS: `--trace-gc${full ? ",--gc-global" : ""}`,
    // Without it, the C library writes 4 KiB at a time to a pipe, so that parts of a line would mix with log lines.
    LD_PRELOAD: library,
    _STDBUF_O: "L",
  };
}

/** The heaps of a process. */
export class HeapTrace {
  readonly #used = new Map<string, number>();
  readonly #allocated = new Map<string, number>();

  /** Reads a line of the output; other lines than those of V8 are ignored. */
  read(line: string): void {
    const [, isolate, kind, used, allocated] = COLLECTION.exec(line) ?? [];
    if (isolate === undefined) return;
    this.#allocated.set(isolate, Number(allocated));
    if (kind === "Mark-Compact") this.#used.set(isolate, Number(used));
  }

  /** MB in use after the last full collection of each isolate; null before the first one. */
  get used(): number | null {
    return sumOf(this.#used);
  }

  /** MB that the heaps take from the system, garbage included; null before the first collection. */
  get allocated(): number | null {
    return sumOf(this.#allocated);
  }
}

function sumOf(mebibytes: ReadonlyMap<string, number>): number | null {
  return mebibytes.size === 0 ? null : [...mebibytes.values()].reduce((sum, size) => sum + size, 0) * MIB;
}
