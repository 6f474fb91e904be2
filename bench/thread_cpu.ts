/** The CPU time of this thread, without the time that it waited for a CPU. */
const CLOCK_THREAD_CPUTIME_ID = 3;
const libc = Deno.dlopen("libc.so.6", { clock_gettime: { parameters: ["i32", "buffer"], result: "i32" } });
const timespec = new BigInt64Array(2);
const timespecBytes = new Uint8Array(timespec.buffer);

/** ms since the thread began. */
export function threadCpuMillis(): number {
  libc.symbols.clock_gettime(CLOCK_THREAD_CPUTIME_ID, timespecBytes);
  return Number(timespec[0]) * 1000 + Number(timespec[1]) / 1e6;
}
