/**
 * A Linux control group with a limit of memory and CPU time, of cgroup v1 or v2, for one process. Needs root and a
 * writable /sys/fs/cgroup.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";

interface Limits {
  readonly memoryBytes: number;
  /** Thousandths of a core; null: no limit. */
  readonly milliCpu: number | null;
}

const ROOT = "/sys/fs/cgroup";
const PERIOD_MICROS = 100_000;

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
    return existsSync(`${ROOT}/memory`) ? createV1(name, limits) : createV2(name, limits);

    function createV1(name: string, { memoryBytes, milliCpu }: Limits): ControlGroup {
      const [memory, cpu] = [`${ROOT}/memory/${name}`, `${ROOT}/cpu/${name}`];
      mkdirSync(memory);
      writeFileSync(`${memory}/memory.limit_in_bytes`, `${memoryBytes}`);
      if (milliCpu === null) return new ControlGroup(1, memory, [memory]);
      mkdirSync(cpu);
      writeFileSync(`${cpu}/cpu.cfs_period_us`, `${PERIOD_MICROS}`);
      writeFileSync(`${cpu}/cpu.cfs_quota_us`, `${quota(milliCpu)}`);
      return new ControlGroup(1, memory, [memory, cpu]);
    }

    function createV2(name: string, { memoryBytes, milliCpu }: Limits): ControlGroup {
      const folder = `${ROOT}/${name}`;
      writeFileSync(`${ROOT}/cgroup.subtree_control`, "+memory +cpu");
      mkdirSync(folder);
      writeFileSync(`${folder}/memory.max`, `${memoryBytes}`);
      if (milliCpu !== null) writeFileSync(`${folder}/cpu.max`, `${quota(milliCpu)} ${PERIOD_MICROS}`);
      return new ControlGroup(2, folder, [folder]);
    }
  }

  /** Prefix for a command that starts it in the group and keeps its process id. */
  get inside(): readonly string[] {
    const enter = this.#folders.map((folder) => `echo $$ >${folder}/cgroup.procs`).join(" && ");
    return ["sh", "-c", `${enter} && exec "$@"`, "sh"];
  }

  /** The most memory that was charged to the group, in bytes, including page cache and socket buffers. */
  get peak(): number {
    const file = this.#version === 1 ? "memory.max_usage_in_bytes" : "memory.peak";
    return Number(readFileSync(`${this.#memory}/${file}`, "latin1"));
  }

  /** Processes that the kernel killed because the group had no memory left. */
  get killed(): number {
    const file = this.#version === 1 ? "memory.oom_control" : "memory.events";
    return Number(/^oom_kill (\d+)/m.exec(readFileSync(`${this.#memory}/${file}`, "latin1"))?.[1]);
  }

  /** Removes the group. Its process must have ended. */
  remove(): void {
    for (const folder of this.#folders) rmdirSync(folder);
  }
}

function quota(milliCpu: number): number {
  return milliCpu * PERIOD_MICROS / 1000;
}
