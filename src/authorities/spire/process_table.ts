/** `/proc` of this machine. */
import { fileIdentity, readSystemFile, readSystemLink } from "../../os/system_files.ts";
import type { ProcessTable } from "./process_guard.ts";

/** The first pid namespace of every kernel has this inode (`PROC_PID_INIT_INO`). */
const NODE_NAMESPACE = "pid:[4026531836]";

export function systemProcesses(): ProcessTable {
  return {
    seesNode: namespaceLink() === NODE_NAMESPACE,
    ownPid: Deno.pid,
    read(pid, file) {
      try {
        return readSystemFile(`/proc/${pid}/${file}`);
      } catch {
        // Gone, or not ours to see: the caller treats both alike.
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
