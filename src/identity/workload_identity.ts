/**
 * Identities as the control plane writes them: five parts, taken as they are (`docs/spec/identity-spire.md` 1.1).
 *
 * Lenient on purpose: nothing is decoded, folded or bounded, so text → value → text changes nothing. An identity that
 * only this parser takes can be listed and logged; it never equals a peer's id, which is strict (`spiffe_id.ts`).
 */
import type { WorkloadIdentity } from "./spiffe_id.ts";

export const DEFAULT_TRUST_DOMAIN = "cluster.local";

const SCHEME = "spiffe://";

/** The parts of `spiffe://td/ns/{ns}/sa/{sa}`, or null: see {@link invalidIdentity} for the error's text. */
export function parseWorkloadIdentity(text: string): WorkloadIdentity | null {
  if (!text.startsWith(SCHEME)) return null;
  const parts = text.slice(SCHEME.length).split("/");
  const [trustDomain, ns, namespace, sa, serviceAccount] = parts;
  if (parts.length !== 5 || ns !== "ns" || sa !== "sa") return null;
  return { trustDomain: trustDomain!, namespace: namespace!, serviceAccount: serviceAccount! };
}

export function formatWorkloadIdentity(identity: WorkloadIdentity): string {
  return `${SCHEME}${identity.trustDomain}/ns/${identity.namespace}/sa/${identity.serviceAccount}`;
}

/** The message for text that no identity parser takes (`docs/spec/identity-spire.md` 1.6). */
export function invalidIdentity(text: string): string {
  return `invalid spiffe identity: ${text}`;
}
