/** Finds the process that has a port. */
import { readSystemFile, readSystemFolder, readSystemLink } from "../../os/system_files.ts";
import type { PortOwner } from "./machine.ts";

/** Lists of sockets of this network namespace (proc(5)). */
const TABLES = ["tcp", "tcp6", "udp", "udp6"];
const LISTENING = "0A", UDP_UNCONNECTED = "07";

/** Null: nobody has the port, or this process may not see who. */
export function ownerOfPort(port: number): PortOwner | null {
  const links = new Set(
    TABLES.flatMap((table) => inodesAt(port, read(`/proc/net/${table}`))).map((i) => `socket:[${i}]`),
  );
  if (links.size === 0) return null;
  for (const pid of folder("/proc").filter((name) => /^\d+$/.test(name))) {
    const fds = `/proc/${pid}/fd`;
    if (!folder(fds).some((fd) => links.has(link(`${fds}/${fd}`)))) continue;
    return ownerOf(pid, isProxy(pid));
  }
  return hiddenProxy();
}

/**
 * A proxy forbids others to inspect it (`ZTUNNEL_DEBUGGABLE`), so without CAP_SYS_PTRACE, as in its own container, its
 * descriptors cannot be read. A process of the same program that cannot be inspected is taken for the owner.
 */
function hiddenProxy(): PortOwner | null {
  const isHidden = (pid: string) => link(`/proc/${pid}/exe`) === "" && startsOwnModule(pid);
  const pid = folder("/proc").find((name) => /^\d+$/.test(name) && isHidden(name));
  return pid === undefined ? null : ownerOf(pid, true);
}

function ownerOf(pid: string, isProxy: boolean): PortOwner {
  return { pid: Number(pid), name: read(`/proc/${pid}/comm`).trim(), isProxy };
}

/** Inodes of the sockets that listen at `port`, in a table of `/proc/net`. */
export function inodesAt(port: number, table: string): string[] {
  const local = port.toString(16).toUpperCase().padStart(4, "0");
  return table.split("\n").slice(1).map((line) => line.trim().split(/\s+/)).filter((fields) =>
    fields[1]?.endsWith(`:${local}`) && (fields[3] === LISTENING || fields[3] === UDP_UNCONNECTED)
  ).map((fields) => fields[9]!);
}

/** Whether the process was started as this one was: the same program, up to the words after its main module. */
function isProxy(pid: string): boolean {
  return link(`/proc/${pid}/exe`) === link("/proc/self/exe") && startsOwnModule(pid);
}

function startsOwnModule(pid: string): boolean {
  const own = read("/proc/self/cmdline").split("\0").slice(0, -1);
  const module = own.at(-1 - Deno.args.length);
  return module !== undefined && read(`/proc/${pid}/cmdline`).split("\0").includes(module);
}

function read(path: string): string {
  return attempt(() => readSystemFile(path)) ?? "";
}

function folder(path: string): string[] {
  return attempt(() => readSystemFolder(path)) ?? [];
}

function link(path: string): string {
  return attempt(() => readSystemLink(path)) ?? "";
}

/** Processes end while they are looked at, and some belong to other users. */
function attempt<T>(work: () => T): T | null {
  try {
    return work();
  } catch {
    return null;
  }
}
