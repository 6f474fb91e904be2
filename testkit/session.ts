/** Processes by their session: a `Program` of `lab/program.ts` starts a session that contains all its child processes. */
import { readSystemFile, readSystemFolder } from "../src/os/system_files.ts";

/** Ids of the processes in session `id`, without zombies. */
export function sessionMembers(id: number): number[] {
  return readSystemFolder("/proc").map(Number).filter((pid) => pid > 0 && isMember(pid, id));
}

/** `/proc/PID/stat`: `pid (command) state ppid pgrp session ...`, where the command may contain any characters. */
function isMember(pid: number, session: number): boolean {
  try {
    const [state, , , own] = (readSystemFile(`/proc/${pid}/stat`).split(") ").at(-1) ?? "").split(" ");
    return Number(own) === session && state !== "Z" && state !== "X";
  } catch {
    return false; // the process has ended
  }
}
