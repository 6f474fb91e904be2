/** Encodes references to workloads for the broker (`docs/spec/identity-spire.md` 5.2, 5.4). */
import { spiffe } from "../../../proto/gen/broker.js";
import { CertificateError, type CertificateSubject } from "../../identity/authority.ts";
import type { FindPod } from "../spire/local_pods.ts";

const { KubernetesObjectReference, WorkloadPIDReference } = spiffe.broker;

/** A `google.protobuf.Any`. */
export interface WorkloadReference {
  // deno-lint-ignore camelcase -- the name protobuf gives it
  readonly type_url: string;
  readonly value: Uint8Array;
}

/** Returns the reference to a process. */
export function processReference(pid: number): WorkloadReference {
  return {
    type_url: "type.googleapis.com/spiffe.broker.WorkloadPIDReference",
    value: WorkloadPIDReference.encode({ pid }).finish(),
  };
}

/**
 * Returns the reference to a pod. It has the uid besides the name, so that a later pod with the same name does not match.
 * Throws {@link CertificateError}.
 */
export function podReference({ workloadUid }: CertificateSubject, findPod: FindPod): WorkloadReference {
  if (workloadUid === null) {
    const text = "SPIFFE Broker KubernetesObject attestor requires a workload pod UID";
    throw new CertificateError(text, "CONFIGURATION");
  }
  const pod = findPod(workloadUid);
  if (pod === null) {
    const text = "SPIFFE Broker KubernetesObject attestor requires WorkloadInfo " +
      `(the CNI agent has not announced pod ${workloadUid})`;
    throw new CertificateError(text, "UNKNOWN_WORKLOAD");
  }
  const { namespace, name, uid } = pod;
  return {
    type_url: "type.googleapis.com/spiffe.broker.KubernetesObjectReference",
    value: KubernetesObjectReference.encode({
      type: { plural: "pods", group: "core" },
      key: { namespace, name },
      uid,
    }).finish(),
  };
}
