/** `/proc` of this machine. */
import type { ProcessTable } from "./process_guard.ts";

/** The first pid namespace of every kernel has this inode (`PROC_PID_INIT_INO`). */
const NODE_NAMESPACE = "pid:[4026531836]";

export function systemProcesses(): ProcessTable {
  return {
    seesNode: namespaceLink() === NODE_NAMESPACE,
    ownPid: Deno.pid,
    read(pid, file) {
      try {
        return Deno.readTextFileSync(`/proc/${pid}/${file}`);
      } catch {
        // Gone, or not ours to see: the caller treats both alike.
        return null;
      }
    },
    networkNamespace(pid) {
      try {
        const { dev, ino } = Deno.statSync(`/proc/${pid}/ns/net`);
        return `${dev}:${ino}`;
      } catch {
        return null;
      }
    },
  };
}

function namespaceLink(): string | null {
  try {
    return Deno.readLinkSync("/proc/self/ns/pid");
  } catch {
    return null;
  }
}
