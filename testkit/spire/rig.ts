/** A SPIRE client over real sockets, with a scripted agent and a scripted container runtime at the other end. */
import { type Clock, SYSTEM_CLOCK } from "../../src/net/clock.ts";
import type { ProcessTable } from "../../src/authorities/spire/process_guard.ts";
import type { Variables } from "../../src/config/environment.ts";
import { ScriptedAgent } from "./agent.ts";
import { SpireClient } from "./client.ts";
import { running, ScriptedRuntime } from "./cri.ts";
import { type TempDir, tempDir } from "../../lab/temp_dir.ts";

export interface RigOptions {
  /** Settings; the sockets are there already. */
  readonly variables?: Variables;
  /** CLUSTER_DOMAIN; default example.org. */
  readonly clusterDomain?: string;
  /** Default: a table that sees nothing. */
  readonly processes?: ProcessTable;
  /** Default: the system clock. */
  readonly clock?: Clock;
}

/** Without a view of the node's processes, as in a pod without hostPID. */
export const BLIND: ProcessTable = { seesNode: false, ownPid: 1, read: () => null, networkNamespace: () => null };

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

  static async start(options: RigOptions = {}): Promise<SpireRig> {
    const folder = tempDir("zs-");
    const agent = await ScriptedAgent.start(`${folder.path}/admin.sock`);
    const runtime = await ScriptedRuntime.start(`${folder.path}/cri.sock`);
    return new SpireRig(agent, runtime, folder, options);
  }

  /** A pod with one container, and what the agent finds out about its process. */
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
