/** Processes by their session: a program started by {@link Program} leads one, with all that it starts. */

/** Ids of the processes that still run in session `id`. Zombies have ended. */
export function sessionMembers(id: number): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((pid) => pid > 0 && isMember(pid, id));
}

/** `/proc/PID/stat`: `pid (command) state ppid pgrp session ...`, where the command may hold anything. */
function isMember(pid: number, session: number): boolean {
  try {
    const [state, , , own] = (Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ").at(-1) ?? "").split(" ");
    return Number(own) === session && state !== "Z" && state !== "X";
  } catch {
    return false; // it has ended
  }
}
