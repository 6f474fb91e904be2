/** Entering network namespaces (`docs/spec/inpod-dns.md` A2.1). */
import { CLONE_NEWNET, O_CLOEXEC, O_RDONLY } from "./constants.ts";
import { cString, errno, libc, openLibc } from "./libc.ts";
import { SystemError } from "./errno.ts";
import { fileIdentity } from "./system_files.ts";

const symbols = openLibc({
  setns: { parameters: ["i32", "i32"], result: "i32" },
  _exit: { parameters: ["i32"], result: "void" },
});

/** A descriptor of this thread's own namespace; below zero: not open yet. Each isolate has its own thread. */
let home = -1;

/**
 * Runs `work` in the namespace of `descriptor` and returns its result. `work` must be synchronous, since setns(2) moves
 * the whole thread. Throws {@link SystemError} when the namespace cannot be entered. When the thread cannot return to its
 * own namespace, later sockets would be made in the wrong one: this ends the process.
 */
export function insideNamespace<T>(descriptor: number, work: () => T): T {
  if (home < 0) home = openNamespace("/proc/thread-self/ns/net");
  if (symbols.setns(descriptor, CLONE_NEWNET) !== 0) throw new SystemError("setns", errno());
  try {
    return work();
  } finally {
    if (symbols.setns(home, CLONE_NEWNET) !== 0) {
      console.error(`cannot leave a pod's network namespace: ${new SystemError("setns", errno()).message}`);
      // Not Deno.exit, which ends only the worker when it is called in one.
      symbols._exit(1);
    }
  }
}

/** Opens a namespace file (`/proc/PID/ns/net`, `/run/netns/NAME`); the caller closes the descriptor. Throws {@link SystemError}. */
export function openNamespace(path: string): number {
  const descriptor = libc.open(cString(path), O_RDONLY | O_CLOEXEC, 0);
  if (descriptor < 0) throw new SystemError(`open ${path}`, errno());
  return descriptor;
}

/** Device and inode. Two descriptors have the same text when they are of one namespace (A2.1). */
export function namespaceIdentity(descriptor: number): string {
  return fileIdentity(descriptor);
}
