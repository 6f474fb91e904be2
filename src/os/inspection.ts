/** Which processes may inspect this one. Its memory contains the private keys of all workloads of the node. */
import { LIBC } from "./libc.ts";
import { openRarely } from "./rare_functions.ts";

const symbols = openRarely(LIBC, {
  prctl: { parameters: ["i32", "usize", "usize", "usize", "usize"], result: "i32" },
});

const PR_SET_DUMPABLE = 4;

/**
 * From now on only a process with CAP_SYS_PTRACE may attach a debugger or read memory, environment and descriptors in
 * `/proc`, and a crash leaves no core file (prctl(2), PR_SET_DUMPABLE). Returns false when the kernel refuses.
 */
export function forbidInspection(): boolean {
  return symbols.prctl(PR_SET_DUMPABLE, 0n, 0n, 0n, 0n) === 0;
}
