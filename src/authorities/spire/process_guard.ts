/**
 * Is a process really one of the pod? The agent attests whatever pid it is given, so the delegate has to make sure that
 * the pid is the pod's and stays so (`docs/spec/identity-spire.md` 4.3, S19-S22).
 */
import { CertificateError } from "../../identity/authority.ts";
import type { LocalPod } from "./local_pods.ts";

/** The processes of the node as far as this one sees them. */
export interface ProcessTable {
  /** False where the proxy lives in a pid namespace of its own: the node's pids mean nothing there. */
  readonly seesNode: boolean;
  readonly ownPid: number;
  /** Text of a file below `/proc/{pid}/`, null where it is not there. */
  read(pid: number, file: "stat" | "cgroup"): string | null;
  /** Device and inode of the network namespace. */
  networkNamespace(pid: number): string | null;
}

/** Tells a process from a later one with the same pid: ticks since boot. Null: not visible. */
export type StartTime = string | null;

export function checkPid(pid: number, table: ProcessTable): void {
  if (!Number.isInteger(pid) || pid <= 1) throw refusal(`the container runtime reports process ${pid}`);
  if (pid === table.ownPid) throw refusal(`the container runtime reports process ${pid}, which is the proxy itself`);
}

/**
 * Checks a process that the container runtime named, and takes its start time. `pod`: null where the CNI agent has not
 * told about it. Throws {@link CertificateError}.
 */
export function guardProcess(pid: number, workloadUid: string, pod: LocalPod | null, table: ProcessTable): StartTime {
  checkPid(pid, table);
  if (!table.seesNode) return null;
  const startTime = startTimeOf(pid, table);
  if (startTime === null) throw refusal(`process ${pid} of pod ${workloadUid} is gone`);
  const cgroup = table.read(pid, "cgroup") ?? "";
  if (!namesPod(cgroup, workloadUid)) {
    throw refusal(`process ${pid} is in no control group of pod ${workloadUid}`);
  }
  const wanted = pod?.networkNamespace ?? null;
  const found = table.networkNamespace(pid);
  if (wanted !== null && found !== null && found !== wanted) {
    throw refusal(
      `process ${pid} is in network namespace ${found}, while the CNI agent said that pod ${workloadUid} is in ${wanted}`,
    );
  }
  return startTime;
}

/** Where it is not the one that was guarded any more: why. Cheap; asked again and again. */
export function processProblem(pid: number, startTime: StartTime, table: ProcessTable): CertificateError | null {
  if (startTime === null) return null;
  const now = startTimeOf(pid, table);
  if (now === startTime) return null;
  return refusal(now === null ? `process ${pid} has ended` : `pid ${pid} belongs to another process now`);
}

/** Both spellings: systemd's control groups have underscores in place of dashes. */
export function namesPod(cgroup: string, uid: string): boolean {
  return uid !== "" && (cgroup.includes(uid) || cgroup.includes(uid.replaceAll("-", "_")));
}

/** Field 22 of `/proc/{pid}/stat`; the second, the name, may hold blanks and parentheses. */
export function startTimeOf(pid: number, table: ProcessTable): StartTime {
  const stat = table.read(pid, "stat");
  if (stat === null) return null;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state] = fields;
  // A zombie and a dead process are not the pod's any more.
  if (state === "Z" || state === "X") return null;
  const ticks = fields[19];
  return ticks !== undefined && /^\d+$/.test(ticks) ? ticks : null;
}

function refusal(text: string): CertificateError {
  return new CertificateError(`unable to determine pid for workload: ${text}`, "NO_PROCESS");
}
