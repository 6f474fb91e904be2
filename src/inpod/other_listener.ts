/**
 * Does another process listen in a pod's network namespace already? Two proxies of a node share the ports of its pods
 * by SO_REUSEPORT, so neither notices the other by itself. The kernel's tables are read, as nothing that is bound for a
 * try could get in the way of the other one.
 */
import { insideNamespace } from "../os/namespace.ts";
import { readSystemFile } from "../os/system_files.ts";

const TABLES = ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"] as const;
/** Sockets that listen stand first. */
const MOST_BYTES = 65_536;
const LISTEN = "0A";

/** `descriptor`: of a namespace in which none of our own sockets listens on `port`. */
export function anotherListens(descriptor: number, port: number): boolean {
  // Of this thread, which is in the namespace for the time of one synchronous call.
  return insideNamespace(descriptor, () => TABLES.some((path) => hasListener(readBegin(path), port)));
}

/** `table`: text of `/proc/net/tcp` or `tcp6`, perhaps cut off. */
export function hasListener(table: string, port: number): boolean {
  return table.split("\n").some((line) => {
    const [, local = "", , state] = line.trim().split(/\s+/);
    return state === LISTEN && Number.parseInt(local.slice(local.lastIndexOf(":") + 1), 16) === port;
  });
}

/** Empty where there is no such table, as `tcp6` without IPv6. */
function readBegin(path: string): string {
  try {
    return readSystemFile(path, MOST_BYTES);
  } catch {
    return "";
  }
}
