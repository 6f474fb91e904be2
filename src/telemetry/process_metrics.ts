/** Metrics of the process from the system, read at each scrape (`docs/spec/config-admin.md` 5.2). */
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

/** Updates the metrics. `onError` is called when descriptors cannot be counted; the metric is then 0. */
export function collectProcessMetrics(metrics: Metrics, onError: (text: string) => void, files = PROCESS_FILES) {
  metrics.cell("process_open_fds").value = openDescriptors(files, onError);
  const limit = descriptorLimit(files);
  if (limit !== null) metrics.cell("process_max_fds").value = limit;
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
