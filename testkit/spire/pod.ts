/** A process that looks like one of a pod: with its own user and control group, and known to a container runtime. */
import { changeSystemFolder } from "../../lab/system_folder.ts";
import { WITH_PARENT } from "../../lab/child.ts";
import { GROUPS } from "../../lab/leftovers.ts";
import { Program } from "../../lab/program.ts";
import { running, type ScriptedRuntime } from "./cri.ts";
import { eventually } from "../../lab/eventually.ts";
import { readSystemFile, writeSystemFile } from "../../src/os/system_files.ts";

/** Settings of a pod. */
interface SpirePodPlace {
  /** The uid of the pod; default: a new one. */
  readonly uid?: string;
  /** The name of its network namespace. */
  readonly namespace?: string;
  /** The command of its process; default: `sleep 600`. */
  readonly command?: readonly string[];
}

/** A pod with one process. */
export class SpirePod implements AsyncDisposable {
  readonly uid: string;
  readonly #group: string;
  readonly #runtime: ScriptedRuntime;
  readonly #user: number;
  readonly #namespace: string | undefined;
  readonly #command: readonly string[];
  #program: Program | null = null;

  private constructor(runtime: ScriptedRuntime, user: number, { uid, namespace, command }: SpirePodPlace) {
    this.uid = uid ?? crypto.randomUUID();
    this.#group = `${GROUPS}/kubepods-${Deno.pid}-pod${this.uid.replaceAll("-", "_")}.slice`;
    this.#runtime = runtime;
    this.#user = user;
    this.#namespace = namespace;
    this.#command = command ?? ["sleep", "600"];
    const failure = changeSystemFolder("mkdir", this.#group);
    if (failure !== null) throw new Error(`Cannot make the control group ${this.#group}: ${failure}`);
  }

  /** Starts a pod whose process runs as `user`, for selectors `unix:uid:`. */
  static async start(runtime: ScriptedRuntime, user: number, place: SpirePodPlace = {}): Promise<SpirePod> {
    const pod = new SpirePod(runtime, user, place);
    await pod.restart();
    return pod;
  }

  /** The pid of its process. */
  get pid(): number {
    return this.#program!.pid;
  }

  /** Stops the process and starts another one. */
  async restart(): Promise<void> {
    await this.#program?.stop();
    const ids = [`--reuid=${this.#user}`, `--regid=${this.#user}`, "--clear-groups"];
    const program = new Program("setpriv", {
      args: [...ids, ...WITH_PARENT, ...this.#command],
      ...this.#namespace === undefined ? {} : { namespace: this.#namespace },
    });
    this.#program = program;
    await eventually("a process of the pod's user", () => userOf(program.pid) === this.#user);
    writeSystemFile(`${this.#group}/cgroup.procs`, String(program.pid));
    this.#runtime.add({ uid: this.uid, containers: [running(`c-${program.pid}`, program.pid)] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program?.[Symbol.asyncDispose]();
    await eventually("an empty control group", () => changeSystemFolder("rmdir", this.#group) === null);
  }
}

/** Effective user id of a process. */
function userOf(pid: number): number {
  return Number(/^Uid:\s+\d+\s+(\d+)/m.exec(readSystemFile(`/proc/${pid}/status`))?.[1]);
}
