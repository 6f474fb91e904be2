/** What a process uses, read from `/proc`. */
import { countSystemFolder, readSystemFile, readSystemFolder, writeSystemFile } from "../src/os/system_files.ts";

/** CPU time of all threads of a process, in seconds; the kernel reports it in steps of 10 ms. */
export interface CpuTime {
  readonly user: number;
  readonly system: number;
}

/** USER_HZ: 100 on every Linux architecture Deno runs on. */
const TICKS_PER_SECOND = 100;

/** proc(5): fields 14 and 15 of `stat`, counted from 1; the name in field 2 may hold spaces and parentheses. */
export function parseStat(stat: string): CpuTime {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { user: Number(fields[11]) / TICKS_PER_SECOND, system: Number(fields[12]) / TICKS_PER_SECOND };
}

/** The CPU time of a process. */
export function cpuTime(pid: number): CpuTime {
  return parseStat(readSystemFile(`/proc/${pid}/stat`));
}

/** Seconds on a core of all living threads, in nanosecond steps: for times too short for `cpuTime`. */
export function runTime(pid: number): number {
  let nanos = 0;
  for (const thread of readSystemFolder(`/proc/${pid}/task`)) {
    try {
      nanos += Number(readSystemFile(`/proc/${pid}/task/${thread}/schedstat`).split(" ")[0]);
    } catch {
      // The thread has ended.
    }
  }
  return nanos / 1e9;
}

/**
 * Resident memory in bytes. `smaps_rollup` counts pages; `status` is an estimate that lags behind by some per thread.
 */
export function residentBytes(pid: number): number {
  for (const [file, field] of [["smaps_rollup", "Rss"], ["status", "VmRSS"]] as const) {
    try {
      const text = readSystemFile(`/proc/${pid}/${file}`);
      const kib = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text)?.[1];
      if (kib !== undefined) return Number(kib) * 1024;
    } catch {
      // Not readable here; the next file is tried.
    }
  }
  throw new Error(`Cannot read the memory of process ${pid}: neither smaps_rollup nor status has it`);
}

/** Resets `peakBytes`. */
export function resetPeak(pid: number): void {
  // proc(5): 5 resets the peak resident set size.
  writeSystemFile(`/proc/${pid}/clear_refs`, "5");
}

/** Most resident memory in bytes since the process began, or since `resetPeak`. */
export function peakBytes(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(readSystemFile(`/proc/${pid}/status`))?.[1]) * 1024;
}

/** Open file descriptors. */
export function descriptors(pid: number): number {
  return countSystemFolder(`/proc/${pid}/fd`);
}

/** CPU time in seconds. */
export function busySeconds(pid: number): number {
  const { user, system } = cpuTime(pid);
  return user + system;
}

/** What each of `pids` used while `work` ran. */
export async function cpuDuring<T>(pids: readonly number[], work: () => Promise<T>): Promise<[T, CpuTime[]]> {
  const before = pids.map(cpuTime);
  const result = await work();
  const used = pids.map((pid, index) => {
    const [from, to] = [before[index], cpuTime(pid)];
    return { user: to.user - (from?.user ?? NaN), system: to.system - (from?.system ?? NaN) };
  });
  return [result, used];
}
