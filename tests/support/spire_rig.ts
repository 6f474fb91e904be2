/** A certificate manager with SPIRE behind it, over real sockets: a scripted agent and a scripted container runtime. */
import type { LocalPod } from "../../src/authorities/spire/local_pods.ts";
import { openSpire } from "../../src/authorities/spire/open_spire.ts";
import type { ProcessTable } from "../../src/authorities/spire/process_guard.ts";
import type { SpireAuthority } from "../../src/authorities/spire/spire_authority.ts";
import type { Variables } from "../../src/config/environment.ts";
import { Environment } from "../../src/config/environment.ts";
import { spireSettings } from "../../src/config/spire_settings.ts";
import { SYSTEM_CLOCK } from "../../src/grpc/channel.ts";
import type { CertificateSubject, IssuedCertificate } from "../../src/identity/authority.ts";
import { CertificateManager } from "../../src/identity/certificate_manager.ts";
import { Priority } from "../../src/identity/fetch_queue.ts";
import { logManagerEvents } from "../../src/identity/manager_events.ts";
import { ScriptedAgent } from "./spire_agent.ts";
import { running, ScriptedRuntime } from "./spire_cri.ts";
import { describe } from "./spire_source.ts";
import { type TempDir, tempDir } from "./temp_dir.ts";

export interface RigOptions {
  /** Settings; the sockets are there already. */
  readonly variables?: Variables;
  /** CLUSTER_DOMAIN; default example.org. */
  readonly clusterDomain?: string;
  /** Default: a table that sees nothing. */
  readonly processes?: ProcessTable;
}

/** Without a view of the node's processes, as in a pod without hostPID. */
const BLIND: ProcessTable = { seesNode: false, ownPid: 1, read: () => null, networkNamespace: () => null };

export class SpireRig implements AsyncDisposable {
  readonly lines: string[] = [];
  /** Serials, errors, and `forgotten`, as the manager's owner sees them. */
  readonly changes: string[] = [];
  readonly pods = new Map<string, LocalPod>();
  readonly manager: CertificateManager;
  #changed: (() => void)[] = [];

  private constructor(
    readonly agent: ScriptedAgent,
    readonly runtime: ScriptedRuntime,
    readonly authority: SpireAuthority,
    readonly folder: TempDir,
  ) {
    this.manager = new CertificateManager({
      authority,
      clock: SYSTEM_CLOCK,
      random: () => 0.5,
      events: logManagerEvents((level, message) => this.lines.push(`${level} ${message}`)),
      onChange: (_, state) => {
        if (state === null) this.changes.push("forgotten");
        else if (state.at === "available") this.changes.push(describe(state.certificate));
        else if (state.at === "unavailable") this.changes.push(describe(state.error));
        for (const wake of this.#changed.splice(0)) wake();
      },
    });
  }

  static async start({ variables = {}, clusterDomain = "example.org", processes = BLIND }: RigOptions = {}) {
    const folder = tempDir("zs-");
    const agent = await ScriptedAgent.start(`${folder.path}/admin.sock`);
    const runtime = await ScriptedRuntime.start(`${folder.path}/cri.sock`);
    const settings = spireSettings(
      new Environment({
        SPIRE_ENABLED: "true",
        SPIRE_ADMIN_ENDPOINT_SOCKET: `unix://${agent.path}`,
        CONTAINER_RUNTIME_SOCK_PATH: runtime.path,
        ...variables,
      }),
      true,
    );
    const late: { rig: SpireRig | null } = { rig: null };
    const authority = openSpire(settings, clusterDomain, {
      clock: SYSTEM_CLOCK,
      random: () => 0.5,
      log: (level, message) => late.rig?.lines.push(`${level} ${message}`),
      findPod: (uid) => late.rig?.pods.get(uid) ?? null,
      processes,
    });
    return late.rig = new SpireRig(agent, runtime, authority, folder);
  }

  /** A pod with one container, and what the agent finds out about its process. */
  addPod(uid: string, pid: number, account = "test-sa"): void {
    this.runtime.add({ uid, containers: [running(`container-${uid}`, pid)] });
    this.agent.processes.set(pid, ["k8s:ns:default", `k8s:sa:${account}`, `k8s:pod-uid:${uid}`]);
    this.pods.set(uid, { uid, namespace: "default", name: `pod-${uid}`, networkNamespace: null });
  }

  get(subject: CertificateSubject): Promise<IssuedCertificate> {
    return this.manager.get(subject, Priority.RealTime);
  }

  /** Fulfilled when the number of changes has become `count`. */
  async changed(count: number): Promise<void> {
    while (this.changes.length < count) await new Promise<void>((resolve) => this.#changed.push(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.manager.close();
    this.authority.close();
    await this.agent.stop();
    await this.runtime[Symbol.asyncDispose]();
    this.folder[Symbol.dispose]();
  }
}
