/** SVIDs by the SPIFFE Broker API; pods are named as Kubernetes objects or by a process (`docs/spec/identity-spire.md` 5.4). */
import type { CertificateSubject } from "../../identity/authority.ts";
import type { ContainerRuntime } from "../cri/container_runtime.ts";
import { findProcess } from "../spire/by_process.ts";
import { isOwn } from "../spire/delegated_source.ts";
import type { FindPod } from "../spire/local_pods.ts";
import type { ProcessTable } from "../spire/process_guard.ts";
import type { Attestation, SvidSource, SvidWords } from "../spire/source.ts";
import type { BrokerApi } from "./broker_api.ts";
import type { OwnIdentityFollower } from "./own_identity.ts";
import { podReference, processReference, type WorkloadReference } from "./workload_reference.ts";

/** Makes the references by which workloads are named to the broker. */
export interface WorkloadNaming {
  /** Returns the reference of a subject. `turn`: see `SvidSource.attest`. Rejects with `CertificateError`. */
  name(subject: CertificateSubject, turn: number, signal: AbortSignal): Promise<NamedWorkload>;
  /** Only for attestation by process: reports the pods that have a new process, until the signal is aborted. */
  watch?(onStarted: (workloadUid: string) => void, until: AbortSignal): void;
  close(): void;
}

/** A workload with its reference. */
interface NamedWorkload extends Omit<Attestation, "open"> {
  readonly reference: WorkloadReference;
}

const WORDS: SvidWords = {
  noEntry: (id, target) =>
    `SPIFFE Broker returned no SVIDs in response: no registration entry for ${id} that fits ${target} ` +
    `(spire-server entry show -spiffeID ${id}; a new entry takes some seconds to reach the agent)`,
  mismatch: (id, got) => `SPIFFE Broker returned SVID for ${got}, expected ${id}`,
  ended: () => "SPIFFE Broker subscription stream ended without an SVID",
  timedOut: (cause) => `SPIFFE Broker subscription timed out (${cause})`,
};

/** Returns the source for `SpireAuthority`. */
export function brokerSource(api: BrokerApi, own: OwnIdentityFollower, naming: WorkloadNaming): SvidSource {
  const ending = new AbortController();
  return {
    keyedBy: "workload",
    words: WORDS,
    // A workload loses its SVID at once when the broker refuses it or does not know it (identity-spire.md 5.1).
    withdrawsOn: new Set(["DENIED", "UNKNOWN_WORKLOAD"]),
    start(events) {
      own.start({
        onChange: ({ trustDomain, anchors }) => {
          events.onBundles(new Map([[trustDomain, anchors.map(({ der }) => der)]]));
        },
        onProblem: (error) => events.onProblem(error),
        onRecovered: () => events.onRecovered(),
      });
      naming.watch?.((uid) => events.onContainerStarted(uid), ending.signal);
    },
    async attest(subject, turn, signal) {
      // The SVID of the Workload API is also the certificate of the proxy's own workload.
      if (isOwn(subject, own.id)) return ownAttestation(own);
      const { reference, ...named } = await naming.name(subject, turn, signal);
      return { ...named, open: (until) => api.subscribe(reference, until) };
    },
    close() {
      ending.abort();
      own.close();
      api.close();
      naming.close();
    },
  };
}

function ownAttestation(own: OwnIdentityFollower): Attestation {
  return {
    target: "the proxy's own SVID",
    open: (signal) => Promise.resolve(own.stream(signal)),
    confirm: () => Promise.resolve(),
    problem: () => null,
  };
}

/** Names pods by namespace, name and uid. */
export function asKubernetesObject(findPod: FindPod): WorkloadNaming {
  return {
    // deno-lint-ignore require-await -- so that errors become rejections
    async name(subject) {
      return {
        reference: podReference(subject, findPod),
        target: `pod ${subject.workloadUid}`,
        confirm: () => Promise.resolve(),
        problem: () => null,
      };
    },
    close: () => {},
  };
}

/** Names pods by the pid of one of their processes. */
export function asProcess(runtime: ContainerRuntime, findPod: FindPod, processes: ProcessTable): WorkloadNaming {
  return {
    async name(subject, turn, signal) {
      const { pid, ...found } = await findProcess(subject, turn, runtime, findPod, processes, signal);
      return { reference: processReference(pid), ...found };
    },
    watch: (onStarted, until) => runtime.watch(onStarted, until),
    close: () => runtime.close(),
  };
}
