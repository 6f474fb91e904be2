/** How many bytes of memory this process may use. */
import type { ConfigFiles } from "./files.ts";

/** Files of the control group, version 2 and 1, as a container sees its own. */
const LIMIT_FILES = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

/** The limit of the control group where it has one, else the memory of the machine; null where neither is known. */
export function memoryLimit(files: ConfigFiles): number | null {
  const machine = Number(/^MemTotal: *(\d+) kB$/m.exec(read(files, "/proc/meminfo") ?? "")?.[1] ?? NaN) * 1024;
  const limits = LIMIT_FILES.map((path) => read(files, path)).map((text) => text === null ? NaN : Number(text));
  const known = [machine, ...limits].filter((bytes) => bytes > 0);
  return known.length === 0 ? null : Math.min(...known);
}

/** A file that is missing or cannot be read counts as no limit. */
function read(files: ConfigFiles, path: string): string | null {
  try {
    return files.read(path);
  } catch {
    return null;
  }
}
