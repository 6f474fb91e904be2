/**
 * Checks that a process belongs to the pod. The agent attests any pid that it receives, so the proxy has to ensure that
 * the pid belongs to the pod and still does later (`docs/spec/identity-spire.md` 4.3, S19-S22).
 */
import { CertificateError } from "../../identity/authority.ts";
import type { LocalPod } from "./local_pods.ts";

/** The processes of the node that are visible to this process. */
export interface ProcessTable {
  /** False where the proxy runs in its own pid namespace, in which the node's pids are not valid. */
  readonly seesNode: boolean;
  readonly ownPid: number;
  /** Returns the text of a file in `/proc/{pid}/`; null where it cannot be read. */
  read(pid: number, file: "stat" | "cgroup"): string | null;
  /** Returns device and inode of the network namespace; null where they cannot be read. */
  networkNamespace(pid: number): string | null;
}

/** The start of a process in ticks since boot, which differs for a later process with the same pid. Null: not visible. */
export type StartTime = string | null;

/** Throws {@link CertificateError} for a pid that cannot be a process of a pod. */
function checkPid(pid: number, table: ProcessTable): void {
  if (!Number.isInteger(pid) || pid <= 1) throw refusal(`the container runtime reports process ${pid}`);
  if (pid === table.ownPid) throw refusal(`the container runtime reports process ${pid}, which is the proxy itself`);
}

/**
 * Checks a process that the container runtime has named, and returns its start time. `pod`: null where the CNI agent has
 * not announced it. Throws {@link CertificateError}.
 */
export function guardProcess(pid: number, workloadUid: string, pod: LocalPod | null, table: ProcessTable): StartTime {
  checkPid(pid, table);
  if (!table.seesNode) return null;
  const startTime = startTimeOf(pid, table);
  if (startTime === null) throw refusal(`process ${pid} of pod ${workloadUid} has ended`);
  const cgroup = table.read(pid, "cgroup") ?? "";
  if (!namesPod(cgroup, workloadUid)) {
    throw refusal(`process ${pid} is in no control group of pod ${workloadUid}`);
  }
  const expected = pod?.networkNamespace ?? null;
  const found = table.networkNamespace(pid);
  if (expected !== null && found !== null && found !== expected) {
    throw refusal(
      `process ${pid} is in network namespace ${found}, while the CNI agent said that pod ${workloadUid} is in ${expected}`,
    );
  }
  return startTime;
}

/** Returns why the process is not the one that was checked any more; null: it is. Cheap enough for periodic checks. */
export function processProblem(pid: number, startTime: StartTime, table: ProcessTable): CertificateError | null {
  if (startTime === null) return null;
  const now = startTimeOf(pid, table);
  if (now === startTime) return null;
  return refusal(now === null ? `process ${pid} has ended` : `pid ${pid} belongs to another process now`);
}

/** Returns whether a control group contains the uid; systemd replaces dashes by underscores. */
export function namesPod(cgroup: string, uid: string): boolean {
  return uid !== "" && (cgroup.includes(uid) || cgroup.includes(uid.replaceAll("-", "_")));
}

/** Returns field 22 of `/proc/{pid}/stat`. The second one, the name, may contain blanks and parentheses. */
export function startTimeOf(pid: number, table: ProcessTable): StartTime {
  const stat = table.read(pid, "stat");
  if (stat === null) return null;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state] = fields;
  // A zombie or dead process has ended.
  if (state === "Z" || state === "X") return null;
  const ticks = fields[19];
  return ticks !== undefined && /^\d+$/.test(ticks) ? ticks : null;
}

function refusal(text: string): CertificateError {
  return new CertificateError(`unable to determine pid for workload: ${text}`, "NO_PROCESS");
}
