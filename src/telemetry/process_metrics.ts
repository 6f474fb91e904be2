/** What the system says about this process, read at each scrape (`docs/spec/config-admin.md` 5.2). */
import type { Metrics } from "./metrics.ts";

export interface ProcessFiles {
  /** Names in a directory. */
  list(path: string): Iterable<unknown>;
  read(path: string): string;
}

export const PROCESS_FILES: ProcessFiles = {
  list: (path) => Deno.readDirSync(path),
  read: (path) => Deno.readTextFileSync(path),
};

const DESCRIPTORS = "/proc/self/fd";
const LIMITS = "/proc/self/limits";

/** `onError` is told when descriptors cannot be counted; the metric is then 0. */
export function collectProcessMetrics(metrics: Metrics, onError: (text: string) => void, files = PROCESS_FILES) {
  metrics.cell("process_open_fds").value = openDescriptors(files, onError);
  const limit = descriptorLimit(files);
  if (limit !== null) metrics.cell("process_max_fds").value = limit;
}

function openDescriptors(files: ProcessFiles, onError: (text: string) => void): number {
  try {
    let count = 0;
    for (const _ of files.list(DESCRIPTORS)) count++;
    // One of them was opened to read the directory.
    return Math.max(count - 1, 0);
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
