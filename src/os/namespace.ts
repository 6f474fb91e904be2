/** Network namespaces of this thread. */
import { CLONE_NEWNET, O_CLOEXEC, O_RDONLY } from "./constants.ts";
import { cString, errno, libc } from "./libc.ts";
import { SystemError } from "./errno.ts";

let home = -1;

/**
 * Runs `work` in the namespace behind `descriptor` and comes back; one synchronous stretch, since setns moves the
 * whole thread. Not coming back would make later sockets in the wrong place, so that ends the process.
 */
export function insideNamespace<T>(descriptor: number, work: () => T): T {
  if (home < 0) {
    home = libc.open(cString("/proc/thread-self/ns/net"), O_RDONLY | O_CLOEXEC, 0);
    if (home < 0) throw new SystemError("open /proc/thread-self/ns/net", errno());
  }
  if (libc.setns(descriptor, CLONE_NEWNET) !== 0) throw new SystemError("setns", errno());
  try {
    return work();
  } finally {
    if (libc.setns(home, CLONE_NEWNET) !== 0) {
      console.error(`cannot leave a pod's network namespace: ${new SystemError("setns", errno()).message}`);
      Deno.exit(1);
    }
  }
}
