/** Reads processes from `/proc`. */
import { fileIdentity, readSystemFile, readSystemLink } from "../../os/system_files.ts";
import type { ProcessTable } from "./process_guard.ts";

/** The first pid namespace of every kernel has this inode (`PROC_PID_INIT_INO`). */
const NODE_NAMESPACE = "pid:[4026531836]";

/** Returns the process table of this machine. */
export function systemProcesses(): ProcessTable {
  return {
    seesNode: namespaceLink() === NODE_NAMESPACE,
    ownPid: Deno.pid,
    read(pid, file) {
      try {
        return readSystemFile(`/proc/${pid}/${file}`);
      } catch {
        // The process has ended or is not visible; callers treat both alike.
        return null;
      }
    },
    networkNamespace(pid) {
      try {
        return fileIdentity(`/proc/${pid}/ns/net`);
      } catch {
        return null;
      }
    },
  };
}

function namespaceLink(): string | null {
  try {
    return readSystemLink("/proc/self/ns/pid");
  } catch {
    return null;
  }
}
