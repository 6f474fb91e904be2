/** A process that passes for a pod's: its own user, its own control group, and a container runtime that knows it. */
import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import { Program } from "./program.ts";
import { running, type ScriptedRuntime } from "./spire_cri.ts";
import { eventually } from "./patience.ts";

/** Version 2 of control groups, or the hierarchy of version 1 that every system has. */
const GROUPS = existsSync("/sys/fs/cgroup/cgroup.controllers") ? "/sys/fs/cgroup" : "/sys/fs/cgroup/pids";

export class SpirePod implements AsyncDisposable {
  private constructor(readonly uid: string, readonly program: Program, private readonly group: string) {}

  /** Runs as `user`, whom a selector `unix:uid:` names. */
  static async start(runtime: ScriptedRuntime, user: number): Promise<SpirePod> {
    const uid = crypto.randomUUID();
    const group = `${GROUPS}/kubepods-pod${uid.replaceAll("-", "_")}.slice`;
    mkdirSync(group);
    const ids = [`--reuid=${user}`, `--regid=${user}`, "--clear-groups"];
    const program = new Program("setpriv", { args: [...ids, "sleep", "600"] });
    const isUser = () => Deno.statSync(`/proc/${program.pid}`).uid === user;
    await eventually("a process of the pod's user", isUser);
    Deno.writeTextFileSync(`${group}/cgroup.procs`, String(program.pid));
    runtime.add({ uid, containers: [running(`c-${uid}`, program.pid)] });
    return new SpirePod(uid, program, group);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
    await eventually("an empty control group", () => {
      try {
        rmdirSync(this.group);
        return true;
      } catch {
        return false;
      }
    });
  }
}
