/** The control groups (version 1) of a cluster: one for each node in every hierarchy, and one above them. */
import { readSystemFile, systemFileExists, writeSystemFile } from "../../src/os/system_files.ts";
import { eventually } from "../eventually.ts";
import { run } from "../program.ts";

const ROOT = "/sys/fs/cgroup";

/** The hierarchies that kubelet and containerd use. */
export const CONTROLLERS = [
  "cpu",
  "cpuacct",
  "cpuset",
  "memory",
  "devices",
  "freezer",
  "blkio",
  "pids",
  "systemd",
] as const;

/** Returns the hierarchies that this machine does not have; empty where a cluster can run. */
export function missingControllers(): string[] {
  return CONTROLLERS.filter((controller) => !systemFileExists(`${ROOT}/${controller}/cgroup.procs`));
}

/** The groups of one cluster. */
export class ControlGroups implements AsyncDisposable {
  readonly #name: string;

  private constructor(name: string) {
    this.#name = name;
  }

  /** Makes the group `name`, and one inside it for each node. */
  static async make(name: string, nodes: readonly number[]): Promise<ControlGroups> {
    for (const controller of CONTROLLERS) {
      for (const group of [name, ...nodes.map((node) => `${name}/node${node}`)]) {
        const path = `${ROOT}/${controller}/${group}`;
        await run("mkdir", "-p", path);
        if (controller === "cpuset") inheritCpus(path);
      }
    }
    return new ControlGroups(name);
  }

  /** Returns the ids of the processes in a node's own group, without those of its pods. */
  processesOf(node: number): number[] {
    const output = readSystemFile(`${ROOT}/pids/${this.#name}/node${node}/cgroup.procs`);
    return output.split("\n").filter((line) => line !== "").map(Number);
  }

  /** Removes them, once the last process in them has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const controller of CONTROLLERS) {
      const path = `${ROOT}/${controller}/${this.#name}`;
      await eventually(`the end of ${path}`, async () => {
        await run("find", path, "-depth", "-type", "d", "-delete").catch(() => {});
        return !systemFileExists(path);
      });
    }
  }
}

/** A new group of this hierarchy has no CPU and no memory, so that no process can join it. */
function inheritCpus(path: string): void {
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    writeSystemFile(`${path}/${file}`, readSystemFile(`${path}/../${file}`));
  }
}
