/**
 * SPIFFE ids, by the strict rules of the SPIFFE standard (`docs/spec/identity-spire.md` 1.2).
 *
 * What a certificate, a SPIRE agent or a broker says about itself goes through here. What the control plane says goes
 * through the lenient parser of `workload_identity.ts`. Both compare as bytes, so an id that is not strict never
 * equals one that is.
 */

/** A strictly valid SPIFFE id of at most 2048 bytes. Made only by {@link parseSpiffeId} and {@link workloadId}. */
export type SpiffeId = string & { readonly _: "SpiffeId" };

/** A strictly valid trust domain name of at most 255 bytes. Made only by this file. */
export type TrustDomain = string & { readonly _: "TrustDomain" };

/** Who a pod is, in words of Kubernetes. Empty parts occur with the lenient parser only. */
export interface WorkloadIdentity {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

const SCHEME = "spiffe://";
const MAX_ID = 2048;
const MAX_TRUST_DOMAIN = 255;
const TRUST_DOMAIN = /^[a-z0-9._-]+$/;
const SEGMENT = /^[a-zA-Z0-9._-]+$/;

/** The id, or null where {@link spiffeIdProblem} finds one. */
export function parseSpiffeId(text: string): SpiffeId | null {
  return spiffeIdProblem(text) === null ? text as SpiffeId : null;
}

/** Why `text` is no SPIFFE id, in the words of the Rust SPIFFE library, or null. Does not quote `text`. */
export function spiffeIdProblem(text: string): string | null {
  if (text === "") return "cannot be empty";
  // Every character that passes the checks below is one byte, so the length in UTF-16 units will do.
  if (text.length > MAX_ID) return "id is longer than 2048 bytes";
  if (!text.startsWith(SCHEME)) return "scheme is missing or invalid";
  const slash = text.indexOf("/", SCHEME.length);
  const nameEnd = slash < 0 ? text.length : slash;
  return trustDomainProblem(text.slice(SCHEME.length, nameEnd)) ?? pathProblem(text.slice(nameEnd));
}

function trustDomainProblem(name: string): string | null {
  if (name === "") return "trust domain is missing";
  if (name.length > MAX_TRUST_DOMAIN) return "trust domain is longer than 255 bytes";
  if (!TRUST_DOMAIN.test(name)) {
    return "trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores";
  }
  return null;
}

function pathProblem(path: string): string | null {
  if (path === "") return null;
  if (path.endsWith("/")) return "path cannot have a trailing slash";
  for (const segment of path.slice(1).split("/")) {
    if (segment === "") return "path cannot contain empty segments";
    if (segment === "." || segment === "..") return "path cannot contain dot segments";
    if (!SEGMENT.test(segment)) {
      return "path segment characters are limited to letters, numbers, dots, dashes, and underscores";
    }
  }
  return null;
}

/** A bare name, or the name in `spiffe://td[/path]`; null where that is not strictly valid. */
export function parseTrustDomain(text: string): TrustDomain | null {
  if (text.includes("://")) {
    const id = parseSpiffeId(text);
    return id === null ? null : trustDomainOf(id);
  }
  return trustDomainProblem(text) === null ? text as TrustDomain : null;
}

export function trustDomainOf(id: SpiffeId): TrustDomain {
  const slash = id.indexOf("/", SCHEME.length);
  return id.slice(SCHEME.length, slash < 0 ? id.length : slash) as TrustDomain;
}

/** True where the id has a path. A trust domain alone names a signer, never a workload. */
export function hasPath(id: SpiffeId): boolean {
  return id.indexOf("/", SCHEME.length) >= 0;
}

/** `spiffe://{trustDomain}/ns/{namespace}/sa/{serviceAccount}`, or null where that is not strictly valid. */
export function workloadId(trustDomain: string, namespace: string, serviceAccount: string): SpiffeId | null {
  const id = parseSpiffeId(`${SCHEME}${trustDomain}/ns/${namespace}/sa/${serviceAccount}`);
  // A slash inside a part would move the borders between them.
  return id !== null && parseWorkloadId(id)?.serviceAccount === serviceAccount ? id : null;
}

/** The parts of a workload's id, or null where its path has another shape. */
export function parseWorkloadId(id: SpiffeId): WorkloadIdentity | null {
  const parts = id.slice(SCHEME.length).split("/");
  const [trustDomain, ns, namespace, sa, serviceAccount] = parts;
  if (parts.length !== 5 || ns !== "ns" || sa !== "sa") return null;
  return { trustDomain: trustDomain!, namespace: namespace!, serviceAccount: serviceAccount! };
}
