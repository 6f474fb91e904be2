/**
 * Whether another process listens in a pod's network namespace already. Two proxies of a node share the ports of its
 * pods by SO_REUSEPORT, so bind(2) does not show it. The kernel's socket tables are read instead: a listener bound as a
 * test could take connections from the other proxy.
 */
import { insideNamespace } from "../os/namespace.ts";
import { readSystemFile } from "../os/system_files.ts";

const TABLES = ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"] as const;
/** Listening sockets come first in the table. */
const MOST_BYTES = 65_536;
const LISTEN = "0A";

/** `descriptor`: of a namespace in which none of our own sockets listens on `port`. */
export function anotherListens(descriptor: number, port: number): boolean {
  // The table of this thread, which is in the namespace during one synchronous call.
  return insideNamespace(descriptor, () => TABLES.some((path) => hasListener(readBegin(path), port)));
}

/** `table`: text of `/proc/net/tcp` or `tcp6`, which may be cut off. */
export function hasListener(table: string, port: number): boolean {
  return table.split("\n").some((line) => {
    const [, local = "", , state] = line.trim().split(/\s+/);
    return state === LISTEN && Number.parseInt(local.slice(local.lastIndexOf(":") + 1), 16) === port;
  });
}

/** Empty where the table does not exist, as `tcp6` without IPv6. */
function readBegin(path: string): string {
  try {
    return readSystemFile(path, MOST_BYTES);
  } catch {
    return "";
  }
}
