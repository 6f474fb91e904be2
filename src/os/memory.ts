/**
 * Returns memory to the system. A node proxy runs for months and takes its memory from the workloads of the node, and
 * half of what the process has mapped was only needed at its start: TypeScript's compiler, module loading, V8's compilers.
 */
import { LIBC } from "./libc.ts";
import { openRarely } from "./rare_functions.ts";
import { canOpenSystemFile, readSystemFile } from "./system_files.ts";
import { withPointer } from "./pointers.ts";

const symbols = openRarely(LIBC, {
  mallopt: { parameters: ["i32", "i32"], result: "i32" },
  malloc_trim: { parameters: ["u32"], result: "i32" },
  madvise: { parameters: ["pointer", "usize", "i32"], result: "i32" },
});

const SMAPS = "/proc/self/smaps";
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
 * Frees the allocator's empty pages, and unmaps the pages of files that are only read: text and constants of the program
 * and its libraries, and the cache of compiled code. They are in the page cache: those that are still used are mapped
 * again without a read, in a millisecond in all.
 */
export function returnMemory(): void {
  returnHeap();
  // Some kernels and sandboxes do not have it.
  if (!canOpenSystemFile(SMAPS)) return;
  for (const { start, length } of fileMappings(readSystemFile(SMAPS))) {
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

/**
 * Returns the mappings of files in the text of `/proc/PID/smaps` that cannot be written and have no pages of their own.
 * Pages of their own must stay: the dynamic linker has written to them, and made them read-only then (RELRO).
 */
export function fileMappings(smaps: string): Mapping[] {
  const found: Mapping[] = [];
  let current: Mapping | null = null;
  for (const line of smaps.split("\n")) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)$/.exec(line);
    if (head !== null) {
      const [, from, to, rights, name] = head;
      const start = BigInt(`0x${from}`);
      const isReadOnlyFile = rights![1] === "-" && name!.startsWith("/");
      current = isReadOnlyFile ? { start, length: BigInt(`0x${to}`) - start } : null;
    } else if (current !== null && /^Anonymous: +0 kB$/.test(line)) found.push(current);
  }
  return found;
}
