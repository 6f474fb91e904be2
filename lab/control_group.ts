/**
 * A Linux control group with a limit of memory and CPU time, of cgroup v1 or v2, for some processes. Needs root and a
 * writable /sys/fs/cgroup.
 */
import { changeSystemFolder } from "./system_folder.ts";
import { readSystemFile, systemFileExists, writeSystemFile } from "../src/os/system_files.ts";

/** The limits. */
interface Limits {
  readonly memoryBytes: number;
  /** Thousandths of a core; null: no limit. */
  readonly milliCpu: number | null;
}

const ROOT = "/sys/fs/cgroup";
const HAS_V1 = systemFileExists(`${ROOT}/memory`);

/** The folders in which a {@link ControlGroup} makes one of its own. */
export const LIMITING_GROUPS: readonly string[] = HAS_V1 ? [`${ROOT}/memory`, `${ROOT}/cpu`] : [ROOT];
const PERIOD_MICROS = 100_000;

/** A control group. */
export class ControlGroup {
  readonly #folders: readonly string[];
  readonly #memory: string;
  readonly #version: 1 | 2;

  private constructor(version: 1 | 2, memory: string, folders: readonly string[]) {
    this.#version = version;
    this.#memory = memory;
    this.#folders = folders;
  }

  /** `name` must be unique on the machine. Throws where groups cannot be created. */
  static create(name: string, limits: Limits): ControlGroup {
    return HAS_V1 ? createV1(name, limits) : createV2(name, limits);

    function createV1(name: string, { memoryBytes, milliCpu }: Limits): ControlGroup {
      const [memory, cpu] = [`${ROOT}/memory/${name}`, `${ROOT}/cpu/${name}`];
      makeFolder(memory);
      writeSystemFile(`${memory}/memory.limit_in_bytes`, `${memoryBytes}`);
      if (milliCpu === null) return new ControlGroup(1, memory, [memory]);
      makeFolder(cpu);
      writeSystemFile(`${cpu}/cpu.cfs_period_us`, `${PERIOD_MICROS}`);
      writeSystemFile(`${cpu}/cpu.cfs_quota_us`, `${quota(milliCpu)}`);
      return new ControlGroup(1, memory, [memory, cpu]);
    }

    function createV2(name: string, { memoryBytes, milliCpu }: Limits): ControlGroup {
      const folder = `${ROOT}/${name}`;
      writeSystemFile(`${ROOT}/cgroup.subtree_control`, "+memory +cpu");
      makeFolder(folder);
      writeSystemFile(`${folder}/memory.max`, `${memoryBytes}`);
      if (milliCpu !== null) writeSystemFile(`${folder}/cpu.max`, `${quota(milliCpu)} ${PERIOD_MICROS}`);
      return new ControlGroup(2, folder, [folder]);
    }
  }

  /** Prefix for a command that starts it in the group and keeps its process id. */
  get inside(): readonly string[] {
    const enter = this.#folders.map((folder) => `echo $$ >${folder}/cgroup.procs`).join(" && ");
    return ["sh", "-c", `${enter} && exec "$@"`, "sh"];
  }

  /** Moves a running process with all of its threads into the group. Throws where it has ended. */
  add(pid: number): void {
    for (const folder of this.#folders) writeSystemFile(`${folder}/cgroup.procs`, `${pid}`);
  }

  /** The most memory that was charged to the group, in bytes, including page cache and socket buffers. */
  get peak(): number {
    const file = this.#version === 1 ? "memory.max_usage_in_bytes" : "memory.peak";
    return Number(readSystemFile(`${this.#memory}/${file}`));
  }

  /** Processes that the kernel killed because the group had no memory left. */
  get killed(): number {
    const file = this.#version === 1 ? "memory.oom_control" : "memory.events";
    return Number(/^oom_kill (\d+)/m.exec(readSystemFile(`${this.#memory}/${file}`))?.[1]);
  }

  /** How many periods the group had to wait in for CPU time. Only where that is limited. */
  get throttled(): number {
    const folder = this.#folders.at(-1)!;
    return Number(/^nr_throttled (\d+)/m.exec(readSystemFile(`${folder}/cpu.stat`))?.[1]);
  }

  /** Removes the group. Its processes must have ended. */
  remove(): void {
    for (const folder of this.#folders) change("rmdir", folder);
  }
}

function makeFolder(path: string): void {
  change("mkdir", path);
}

function change(program: "mkdir" | "rmdir", path: string): void {
  const failure = changeSystemFolder(program, path);
  if (failure !== null) throw new Error(failure.trim());
}

function quota(milliCpu: number): number {
  return milliCpu * PERIOD_MICROS / 1000;
}
