/**
 * Returns memory to the system. A node proxy runs for months and takes its memory from the workloads of the node, and
 * half of what the process has mapped was only needed at its start: TypeScript's compiler, module loading, V8's compilers.
 */
import { LIBC } from "./libc.ts";
import { openRarely } from "./rare_functions.ts";
import { readSystemFile } from "./system_files.ts";
import { withPointer } from "./pointers.ts";

const symbols = openRarely(LIBC, {
  mallopt: { parameters: ["i32", "i32"], result: "i32" },
  malloc_trim: { parameters: ["u32"], result: "i32" },
  madvise: { parameters: ["pointer", "usize", "i32"], result: "i32" },
});

const M_ARENA_MAX = -8;
const MADV_DONTNEED = 4;
/** The smallest page size of the supported systems. Where pages are larger the kernel refuses, which does no harm. */
const PAGE = 4096;

/**
 * Limits the allocator's arenas: glibc makes up to eight per CPU, and each keeps the memory that its threads freed. One
 * for each thread that allocates a lot is enough. Call it before threads start.
 */
export function limitArenas(count: number): void {
  symbols.mallopt(M_ARENA_MAX, Math.max(1, count));
}

/**
 * Frees the allocator's empty pages, and unmaps the pages of the program's own text. These are in the page cache: those
 * that are still used are mapped again without a read, in a millisecond in all. Measured after the start: 88 to 71 MB.
 */
export function returnMemory(): void {
  returnHeap();
  for (const { start, length } of textMappings(readSystemFile("/proc/self/maps"), Deno.execPath())) {
    symbols.madvise(Deno.UnsafePointer.create(start), length, MADV_DONTNEED);
  }
}

/** Frees the allocator's empty pages. */
export function returnHeap(): void {
  symbols.malloc_trim(0);
}

/**
 * Frees the buffer, which is empty afterwards, and returns its pages to the system at once. The allocator would keep them
 * for later use, and after a large message there is none.
 */
export function discard(buffer: ArrayBuffer): void {
  if (buffer.byteLength > PAGE) {
    withPointer(new Uint8Array(buffer), (pointer) => {
      const start = Number(Deno.UnsafePointer.value(pointer));
      const from = Math.ceil(start / PAGE) * PAGE;
      const length = Math.floor((start + buffer.byteLength) / PAGE) * PAGE - from;
      if (length > 0) symbols.madvise(Deno.UnsafePointer.create(BigInt(from)), BigInt(length), MADV_DONTNEED);
    });
  }
  buffer.transfer(0);
}

/** Resident bytes of this process. */
export function residentBytes(): number {
  return Deno.memoryUsage().rss;
}

interface Mapping {
  readonly start: bigint;
  /** Bytes. */
  readonly length: bigint;
}

/** Returns the executable, read-only mappings (`r-xp`) of `program` in the text of `/proc/PID/maps`. */
export function textMappings(maps: string, program: string): Mapping[] {
  const found: Mapping[] = [];
  for (const line of maps.split("\n")) {
    const match = /^([0-9a-f]+)-([0-9a-f]+) r-xp \S+ \S+ \S+ +(.+)$/.exec(line);
    if (match === null || match[3] !== program) continue;
    const start = BigInt(`0x${match[1]}`);
    found.push({ start, length: BigInt(`0x${match[2]}`) - start });
  }
  return found;
}
