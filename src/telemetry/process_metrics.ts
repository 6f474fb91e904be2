/** Metrics of the process from the system, read at each scrape (`docs/spec/config-admin.md` 5.2). */
import { residentBytes } from "../os/memory.ts";
import { countSystemFolder, readSystemFile } from "../os/system_files.ts";
import type { Metrics } from "./metrics.ts";

/** Access to `/proc`. */
interface ProcessFiles {
  /** Number of entries of a folder. */
  count(path: string): number;
  read(path: string): string;
}

const PROCESS_FILES: ProcessFiles = {
  count: countSystemFolder,
  read: readSystemFile,
};

const DESCRIPTORS = "/proc/self/fd";
const LIMITS = "/proc/self/limits";
const STATUS = "/proc/self/stat";
/** Units of time in `/proc/self/stat`, the same on every architecture of Linux: USER_HZ (proc(5)). */
const TICKS_PER_SECOND = 100;

/** Updates the metrics. `onError` is called when descriptors cannot be counted; the metric is then 0. */
export function collectProcessMetrics(metrics: Metrics, onError: (text: string) => void, files = PROCESS_FILES) {
  metrics.cell("process_open_fds").value = openDescriptors(files, onError);
  const limit = descriptorLimit(files);
  if (limit !== null) metrics.cell("process_max_fds").value = limit;
  const times = processTimes(files);
  if (times !== null) {
    metrics.cell("process_cpu_seconds").value = times.cpu;
    metrics.cell("process_start_time_seconds").value = times.start;
  }
  metrics.cell("process_resident_memory_bytes").value = residentBytes();
}

/** CPU time of the process in seconds, 0 where the system does not say it. */
export function processCpuSeconds(files: Pick<ProcessFiles, "read"> = PROCESS_FILES): number {
  try {
    return cpuSeconds(statusFields(files));
  } catch {
    return 0;
  }
}

/** The name of the program, which may have spaces, ends with the last parenthesis; the state follows (proc(5)). */
function statusFields(files: Pick<ProcessFiles, "read">): readonly number[] {
  return files.read(STATUS).replace(/^.*\) /s, "").split(" ").map(Number);
}

function cpuSeconds(fields: readonly number[]): number {
  const [user, system] = [fields[11], fields[12]];
  return user === undefined || system === undefined ? 0 : (user + system) / TICKS_PER_SECOND;
}

/** CPU time and time of the start, in seconds; null where the system does not say them. */
function processTimes(files: ProcessFiles): { cpu: number; start: number } | null {
  try {
    const fields = statusFields(files), start = fields[19];
    const boot = /^btime (\d+)$/m.exec(files.read("/proc/stat"))?.[1];
    if (start === undefined || boot === undefined) return null;
    return { cpu: cpuSeconds(fields), start: Number(boot) + start / TICKS_PER_SECOND };
  } catch {
    return null;
  }
}

function openDescriptors(files: ProcessFiles, onError: (text: string) => void): number {
  try {
    // One of them was opened to read the folder.
    return Math.max(files.count(DESCRIPTORS) - 1, 0);
  } catch (error) {
    onError(`could not count open file descriptors: ${error instanceof Error ? error.message : String(error)}`);
    return 0;
  }
}

/** The soft limit; null where it is not a number. */
function descriptorLimit(files: ProcessFiles): number | null {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(files.read(LIMITS))?.[1];
    return soft === undefined ? null : Number(soft);
  } catch {
    return null;
  }
}
