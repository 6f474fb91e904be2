/** Network namespaces of this thread (`docs/spec/inpod-dns.md` A2.1). */
import { CLONE_NEWNET, O_CLOEXEC, O_RDONLY } from "./constants.ts";
import { cString, errno, libc } from "./libc.ts";
import { SystemError } from "./errno.ts";
import { fileIdentity } from "./system_files.ts";

/** Where this thread belongs. One module instance per isolate, hence per thread. */
let home = -1;

/**
 * Runs `work` in the namespace behind `descriptor` and comes back; one synchronous stretch, since setns moves the
 * whole thread. Throws {@link SystemError} where the namespace cannot be entered. Not coming back would make later
 * sockets in the wrong place, so that ends the process.
 */
export function insideNamespace<T>(descriptor: number, work: () => T): T {
  if (home < 0) home = openNamespace("/proc/thread-self/ns/net");
  if (libc.setns(descriptor, CLONE_NEWNET) !== 0) throw new SystemError("setns", errno());
  try {
    return work();
  } finally {
    if (libc.setns(home, CLONE_NEWNET) !== 0) {
      console.error(`cannot leave a pod's network namespace: ${new SystemError("setns", errno()).message}`);
      // Not Deno.exit: in a worker that ends the worker only.
      libc._exit(1);
    }
  }
}

/** Opens a namespace file (`/proc/PID/ns/net`, `/run/netns/NAME`); the caller closes the descriptor. */
export function openNamespace(path: string): number {
  const descriptor = libc.open(cString(path), O_RDONLY | O_CLOEXEC, 0);
  if (descriptor < 0) throw new SystemError(`open ${path}`, errno());
  return descriptor;
}

/** The same text for two descriptors of one namespace, and only then: inode and device (A2.1). */
export function namespaceIdentity(descriptor: number): string {
  return fileIdentity(descriptor);
}
