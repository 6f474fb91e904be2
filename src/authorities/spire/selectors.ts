/** Selectors by which the agent is told who a workload is (`docs/spec/identity-spire.md` 4.6). */
import { CertificateError, type CertificateSubject } from "../../identity/authority.ts";
import { parseWorkloadId } from "../../identity/spiffe_id.ts";
import type { LocalPod } from "./local_pods.ts";

export interface Selector {
  readonly type: string;
  readonly value: string;
}

/** Namespace and service account, as the identity says. Throws {@link CertificateError}. */
export function accountSelectors({ id }: CertificateSubject): Selector[] {
  const identity = parseWorkloadId(id);
  if (identity === null) throw new CertificateError(`invalid spiffe identity: ${id}`, "INVALID_IDENTITY");
  return [k8s(`ns:${identity.namespace}`), k8s(`sa:${identity.serviceAccount}`)];
}

/** And the pod: entries for one pod match too, besides those for its service account. Throws {@link CertificateError}. */
export function podSelectors(subject: CertificateSubject, pod: LocalPod): Selector[] {
  return [...accountSelectors(subject), k8s(`pod-name:${pod.name}`), k8s(`pod-uid:${pod.uid}`)];
}

function k8s(value: string): Selector {
  return { type: "k8s", value };
}

/** `k8s:ns:default, k8s:sa:app`, as in `spire-server entry create -selector`. */
export function formatSelectors(selectors: readonly Selector[]): string {
  return selectors.map(({ type, value }) => `${type}:${value}`).join(", ");
}
