/**
 * Removes what killed test processes have left: network namespaces, their files in `/etc/netns`, control groups. The
 * names of these contain the pid of the process that made them.
 */
import { LIMITING_GROUPS } from "./control_group.ts";
import { changeSystemFolder } from "./system_folder.ts";
import { readSystemFile, readSystemFolder, systemFileExists } from "../src/os/system_files.ts";

/** The folder for control groups: of version 2, or of a hierarchy of version 1 that every system has. */
export const GROUPS = systemFileExists("/sys/fs/cgroup/cgroup.controllers") ? "/sys/fs/cgroup" : "/sys/fs/cgroup/pids";

const NAMESPACE = /^zt-.*-(\d+)-\d+$/;

interface Kind {
  readonly what: string;
  readonly folder: string;
  /** Its first group is the pid. */
  readonly name: RegExp;
  readonly remove: (name: string) => void;
}

const KINDS: readonly Kind[] = [
  {
    what: "network namespace",
    folder: "/run/netns",
    name: NAMESPACE,
    remove: (name) => void new Deno.Command("ip", { args: ["netns", "del", name], stderr: "null" }).outputSync(),
  },
  {
    what: "resolver of the network namespace",
    folder: "/etc/netns",
    name: NAMESPACE,
    remove: (name) => Deno.removeSync(`/etc/netns/${name}`, { recursive: true }),
  },
  groupsIn(GROUPS, /^kubepods-(\d+)-pod/),
  {
    what: "control groups of the cluster",
    folder: GROUPS,
    name: /^zt-kubernetes-(\d+)$/,
    remove: (name) => {
      const all = `find /sys/fs/cgroup/*/${name} -depth -type d -delete`; // in every hierarchy, with those of its pods
      new Deno.Command("sh", { args: ["-c", all], stderr: "null" }).outputSync();
    },
  },
  ...LIMITING_GROUPS.map((folder) => groupsIn(folder, /^zt-\w+-(\d+)(?:-|$)/)),
];

function groupsIn(folder: string, name: RegExp): Kind {
  const remove = (name: string) => void changeSystemFolder("rmdir", `${folder}/${name}`);
  return { what: "control group", folder, name, remove };
}

/** Something that was removed. */
interface Leftover {
  /** The pid of the process that made it. */
  readonly owner: number;
  /** Its kind and name. */
  readonly what: string;
}

/** Removes what processes that have ended have left; returns what was found. */
export function removeLeftovers(): Leftover[] {
  return KINDS.flatMap(({ what, folder, name, remove }) =>
    entries(folder).flatMap((entry) => {
      const owner = Number(name.exec(entry)?.[1]);
      if (Number.isNaN(owner) || isAlive(owner)) return [];
      try {
        remove(entry);
      } catch {
        // Another process has removed it, or this one may not.
      }
      return [{ owner, what: `${what} ${entry}` }];
    })
  );
}

/** Returns whether a process runs; false for a zombie. */
export function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readSystemFile(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}

/** Returns the names in a folder; none where it does not exist. */
export function entries(folder: string): string[] {
  try {
    return readSystemFolder(folder);
  } catch {
    return [];
  }
}
