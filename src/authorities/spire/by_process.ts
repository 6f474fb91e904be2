/** Names subjects by a process of their pod (`docs/spec/identity-spire.md` 4.3, 4.4). */
import { CertificateError, type CertificateSubject } from "../../identity/authority.ts";
import type { ContainerRuntime, PodProcess } from "../cri/container_runtime.ts";
import {
  isOwn,
  namedBySelectors,
  type NamedSubject,
  type SubjectNaming,
  workloadKeyExpected,
} from "./delegated_source.ts";
import type { FindPod } from "./local_pods.ts";
import type { SpiffeId } from "../../identity/spiffe_id.ts";
import { accountSelectors } from "./selectors.ts";
import { guardProcess, processProblem, type ProcessTable, type StartTime } from "./process_guard.ts";

/** A process of the pod with checks that it still is, as the agent inspects it only once. */
interface GuardedProcess {
  readonly pid: number;
  /** For errors: `PID 4321`, with the container's name where the pod has several. */
  readonly target: string;
  /** The pod has further containers after this one. */
  readonly more: boolean;
  /** Asks the runtime again. Rejects with {@link CertificateError} where the process is not the pod's any more. */
  confirm(signal: AbortSignal): Promise<void>;
  /** Checks `/proc` only; returns null where the process still exists. */
  problem(): CertificateError | null;
}

/** Finds a process. `turn`: index of the pod's running container, from 0. Rejects with {@link CertificateError}. */
export async function findProcess(
  subject: CertificateSubject,
  turn: number,
  runtime: ContainerRuntime,
  findPod: FindPod,
  processes: ProcessTable,
  signal: AbortSignal,
): Promise<GuardedProcess> {
  const { workloadUid: uid } = subject;
  if (uid === null) throw workloadKeyExpected(subject.id);
  const found = await lookUp(
    `Failed to fetch PID for workload UID ${uid}`,
    () => runtime.findProcess(uid, turn, signal),
  );
  const startTime = guardProcess(found.pid, uid, findPod(uid), processes);
  const { pid, name, index, count } = found;
  return {
    pid,
    target: count === 1 ? `PID ${pid}` : `PID ${pid} (container ${name}, ${index + 1} of ${count} that run)`,
    more: index + 1 < count,
    confirm: (until) => confirm(uid, found, startTime, runtime, processes, until),
    problem: () => processProblem(found.pid, startTime, processes),
  };
}

async function confirm(
  uid: string,
  { pid, containerId }: PodProcess,
  startTime: StartTime,
  runtime: ContainerRuntime,
  processes: ProcessTable,
  signal: AbortSignal,
): Promise<void> {
  const now = await lookUp(`Failed to verify PID for workload UID ${uid}`, () => runtime.pidOf(containerId, signal));
  if (now !== pid) {
    const text = `PID mismatch for workload UID ${uid}: expected ${pid}, got ${now}`;
    throw new CertificateError(`unable to determine pid for workload: ${text}`, "NO_PROCESS");
  }
  const problem = processProblem(pid, startTime, processes);
  if (problem !== null) throw problem;
}

async function lookUp<T>(doing: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new CertificateError(`unable to determine pid for workload: ${doing}: ${text}`, "NO_PROCESS", {
      cause: error,
    });
  }
}

/** Names subjects by process. `own`: SPIFFE id of the proxy itself, which the CNI agent does not announce; null: not known. */
export function byProcess(
  runtime: ContainerRuntime,
  findPod: FindPod,
  processes: ProcessTable,
  own: SpiffeId | null,
): SubjectNaming {
  return {
    keyedBy: "workload",
    async name(subject, turn, signal): Promise<NamedSubject> {
      if (isOwn(subject, own)) return nameOwn(subject, processes);
      const { pid, ...found } = await findProcess(subject, turn, runtime, findPod, processes, signal);
      return { request: { pid }, ...found };
    },
    watch: (onStarted, until) => runtime.watch(onStarted, until),
    close: () => runtime.close(),
  };
}

/** Uses the proxy's own PID where the agent sees the same PIDs; else the selectors that its entry usually has. */
function nameOwn(subject: CertificateSubject, { seesNode, ownPid }: ProcessTable): NamedSubject {
  if (!seesNode) return namedBySelectors(accountSelectors(subject));
  return {
    request: { pid: ownPid },
    target: `the proxy's own process, PID ${ownPid}`,
    confirm: () => Promise.resolve(),
    problem: () => null,
  };
}
