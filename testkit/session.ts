/** Processes by their session: a program started by {@link Program} leads one, with all that it starts. */
import { readSystemFile, readSystemFolder } from "../src/os/system_files.ts";

/** Ids of the processes that still run in session `id`. Zombies have ended. */
export function sessionMembers(id: number): number[] {
  return readSystemFolder("/proc").map(Number).filter((pid) => pid > 0 && isMember(pid, id));
}

/** `/proc/PID/stat`: `pid (command) state ppid pgrp session ...`, where the command may hold anything. */
function isMember(pid: number, session: number): boolean {
  try {
    const [state, , , own] = (readSystemFile(`/proc/${pid}/stat`).split(") ").at(-1) ?? "").split(" ");
    return Number(own) === session && state !== "Z" && state !== "X";
  } catch {
    return false; // it has ended
  }
}
