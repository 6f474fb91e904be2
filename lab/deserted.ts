/**
 * Things that carry the id of the process that made them in their names, and outlive it where it was killed: network
 * namespaces, their files in `/etc/netns`, control groups.
 */
import { readSystemFile, readSystemFolder, systemFileExists } from "../src/os/system_files.ts";

/** Version 2 of control groups, or the hierarchy of version 1 that every system has. */
export const GROUPS = systemFileExists("/sys/fs/cgroup/cgroup.controllers") ? "/sys/fs/cgroup" : "/sys/fs/cgroup/pids";

const NAMESPACE = /^zt-.*-(\d+)-\d+$/;

interface Place {
  readonly what: string;
  readonly folder: string;
  /** Its group is the id of the process. */
  readonly name: RegExp;
  readonly remove: (name: string) => void;
}

const PLACES: readonly Place[] = [
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
  {
    what: "control group",
    folder: GROUPS,
    name: /^kubepods-(\d+)-pod/,
    remove: (name) => void new Deno.Command("rmdir", { args: [`${GROUPS}/${name}`], stderr: "null" }).outputSync(),
  },
];

export interface Deserted {
  /** Id of the process that made it. */
  readonly owner: number;
  /** In words. */
  readonly what: string;
}

/** Removes what nobody will use again. */
export function removeDeserted(): Deserted[] {
  return PLACES.flatMap(({ what, folder, name, remove }) =>
    entries(folder).flatMap((entry) => {
      const owner = Number(name.exec(entry)?.[1]);
      if (Number.isNaN(owner) || isAlive(owner)) return [];
      try {
        remove(entry);
      } catch {
        // somebody else was faster, or may do it
      }
      return [{ owner, what: `${what} ${entry}` }];
    })
  );
}

/** A zombie has ended. */
export function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readSystemFile(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}

/** None where there is no such folder. */
export function entries(folder: string): string[] {
  try {
    return readSystemFolder(folder);
  } catch {
    return [];
  }
}
