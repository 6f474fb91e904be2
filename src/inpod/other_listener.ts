/**
 * Detects whether another process listens in a pod's network namespace. Two proxies of a node share the ports of its
 * pods by SO_REUSEPORT, so bind(2) does not fail. The kernel's socket tables are read instead, as a listener bound for a
 * test would receive connections of the other proxy.
 */
import { insideNamespace } from "../os/namespace.ts";
import { readSystemFile } from "../os/system_files.ts";

const TABLES = ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"] as const;
/** Bytes to read. Listening sockets come first in the table. */
const MAX_BYTES = 65_536;
const LISTEN = "0A";

/** `descriptor`: of a namespace in which this process does not listen on `port`. */
export function anotherListens(descriptor: number, port: number): boolean {
  // `thread-self` is the table of this thread, which is in the namespace during this synchronous call.
  return insideNamespace(descriptor, () => TABLES.some((path) => hasListener(readTable(path), port)));
}

/** Returns whether the table has a listener on `port`. `table`: text of `/proc/net/tcp` or `tcp6`, possibly cut off. */
export function hasListener(table: string, port: number): boolean {
  return table.split("\n").some((line) => {
    const [, local = "", , state] = line.trim().split(/\s+/);
    return state === LISTEN && Number.parseInt(local.slice(local.lastIndexOf(":") + 1), 16) === port;
  });
}

/** Returns an empty text where the table does not exist, as `tcp6` without IPv6. */
function readTable(path: string): string {
  try {
    return readSystemFile(path, MAX_BYTES);
  } catch {
    return "";
  }
}
