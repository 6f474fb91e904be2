/** Selectors by which workloads are named to the agent (`docs/spec/identity-spire.md` 4.6). */
import { CertificateError, type CertificateSubject } from "../../identity/authority.ts";
import { parseWorkloadId } from "../../identity/spiffe_id.ts";
import type { LocalPod } from "./local_pods.ts";

/** A selector of SPIRE, such as type `k8s` and value `ns:default`. */
export interface Selector {
  readonly type: string;
  readonly value: string;
}

/** Returns the namespace and service account of the identity. Throws {@link CertificateError}. */
export function accountSelectors({ id }: CertificateSubject): Selector[] {
  const identity = parseWorkloadId(id);
  if (identity === null) throw new CertificateError(`invalid spiffe identity: ${id}`, "INVALID_IDENTITY");
  return [k8s(`ns:${identity.namespace}`), k8s(`sa:${identity.serviceAccount}`)];
}

/** Returns also name and uid of the pod, so that entries for one pod match too. Throws {@link CertificateError}. */
export function podSelectors(subject: CertificateSubject, pod: LocalPod): Selector[] {
  return [...accountSelectors(subject), k8s(`pod-name:${pod.name}`), k8s(`pod-uid:${pod.uid}`)];
}

function k8s(value: string): Selector {
  return { type: "k8s", value };
}

/** Formats selectors as in `spire-server entry create -selector`: `k8s:ns:default, k8s:sa:app`. */
export function formatSelectors(selectors: readonly Selector[]): string {
  return selectors.map(({ type, value }) => `${type}:${value}`).join(", ");
}
