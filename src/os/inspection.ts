/** Who may inspect this process. Its memory holds the private keys of all workloads of the node. */
import { libc } from "./libc.ts";

const PR_GET_DUMPABLE = 3, PR_SET_DUMPABLE = 4;

/**
 * From now on only a process with CAP_SYS_PTRACE may attach a debugger or read memory, environment and descriptors in
 * `/proc`, and a crash leaves no core file (prctl(2), PR_SET_DUMPABLE). False where the kernel refuses.
 */
export function forbidInspection(): boolean {
  return libc.prctl(PR_SET_DUMPABLE, 0n, 0n, 0n, 0n) === 0;
}

/** Whether other processes of the same user may inspect this process. */
export function allowsInspection(): boolean {
  return libc.prctl(PR_GET_DUMPABLE, 0n, 0n, 0n, 0n) === 1;
}
