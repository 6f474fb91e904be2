/** When a demo has to end before its time. */
import { readSystemFile } from "../src/os/system_files.ts";

const PAUSE_MS = 500;

/**
 * Resolves at the first signal that asks us to end, or when somebody is gone between us and the top of our process
 * group: who ends `npx` alone does not reach what it has started.
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

/** Parent and process group by `/proc/PID/stat`; null for who has ended. */
function place(pid: number): { readonly parent: number; readonly group: number } | null {
  try {
    // The name before may hold anything.
    const [state, parent, group] = readSystemFile(`/proc/${pid}/stat`).split(") ").at(-1)!.split(" ");
    return state === "Z" ? null : { parent: Number(parent), group: Number(group) };
  } catch {
    return null;
  }
}
