/** Detects that a program that runs until it is interrupted has to end. */
import { readSystemFile } from "../src/os/system_files.ts";

const PAUSE_MS = 500;

/**
 * Resolves at the first signal to end, or when a parent process within our process group has ended: killing `npx` alone
 * does not end the processes that it started.
 */
export function interruption(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) Deno.addSignalListener(signal, resolve);
  const above = ancestorsInGroup();
  const timer = setInterval(() => above.every((pid) => place(pid) !== null) || resolve(), PAUSE_MS);
  Deno.unrefTimer(timer);
  return promise;
}

function ancestorsInGroup(): number[] {
  const own = place(Deno.pid);
  const found: number[] = [];
  for (let pid = own?.parent ?? 0;;) {
    const next = place(pid);
    if (next === null || next.group !== own?.group) return found;
    found.push(pid);
    pid = next.parent;
  }
}

/** Parent and process group from `/proc/PID/stat`; null for a process that has ended. */
function place(pid: number): { readonly parent: number; readonly group: number } | null {
  try {
    // The process name before may have any characters.
    const [state, parent, group] = readSystemFile(`/proc/${pid}/stat`).split(") ").at(-1)!.split(" ");
    return state === "Z" ? null : { parent: Number(parent), group: Number(group) };
  } catch {
    return null;
  }
}
