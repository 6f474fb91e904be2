/** A SPIRE client over real sockets, with a scripted agent and a scripted container runtime. */
import type { ProcessTable } from "../../src/authorities/spire/process_guard.ts";
import type { Variables } from "../../src/config/environment.ts";
import { SYSTEM_CLOCK, type WallClock } from "../../src/net/clock.ts";
import { ScriptedAgent } from "./agent.ts";
import { SpireClient } from "./client.ts";
import { running, ScriptedRuntime } from "./cri.ts";
import { type TempDir, tempDir } from "../../lab/temp_dir.ts";

/** Settings of a rig. */
interface RigOptions {
  /** Settings besides the sockets. */
  readonly variables?: Variables;
  /** CLUSTER_DOMAIN; default example.org. */
  readonly clusterDomain?: string;
  /** Default: {@link BLIND}. */
  readonly processes?: ProcessTable;
  /** Default: the system clock. */
  readonly clock?: WallClock;
}

/** A process table without the node's processes, as in a pod without hostPID. */
export const BLIND: ProcessTable = { seesNode: false, ownPid: 1, read: () => null, networkNamespace: () => null };

/** A client with its agent and runtime. */
export class SpireRig extends SpireClient implements AsyncDisposable {
  private constructor(
    readonly agent: ScriptedAgent,
    readonly runtime: ScriptedRuntime,
    readonly folder: TempDir,
    { variables = {}, clusterDomain = "example.org", processes = BLIND, clock = SYSTEM_CLOCK }: RigOptions,
  ) {
    super({
      variables: {
        SPIRE_ENABLED: "true",
        SPIRE_ADMIN_ENDPOINT_SOCKET: `unix://${agent.path}`,
        CONTAINER_RUNTIME_SOCK_PATH: runtime.path,
        ...variables,
      },
      clusterDomain,
      processes,
      clock,
    });
  }

  /** Starts everything in a temporary folder. */
  static async start(options: RigOptions = {}): Promise<SpireRig> {
    const folder = tempDir("zs-");
    const agent = await ScriptedAgent.start(`${folder.path}/admin.sock`);
    const runtime = await ScriptedRuntime.start(`${folder.path}/cri.sock`);
    return new SpireRig(agent, runtime, folder, options);
  }

  /** Adds a pod with one container to the runtime and its selectors to the agent. */
  addPod(uid: string, pid: number, account = "test-sa"): void {
    this.runtime.add({ uid, containers: [running(`container-${uid}`, pid)] });
    this.agent.processes.set(pid, ["k8s:ns:default", `k8s:sa:${account}`, `k8s:pod-uid:${uid}`]);
    this.pods.set(uid, { uid, namespace: "default", name: `pod-${uid}`, networkNamespace: null });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this[Symbol.dispose]();
    await this.agent.stop();
    await this.runtime[Symbol.asyncDispose]();
    this.folder[Symbol.dispose]();
  }
}
