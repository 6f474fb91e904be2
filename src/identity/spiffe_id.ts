/**
 * SPIFFE ids, by the strict rules of the SPIFFE standard (`docs/spec/identity-spire.md` 1.2), which are stricter than
 * those of the Rust ztunnel for names from the control plane (1.1).
 */

/** A valid SPIFFE id of at most 2048 bytes. Made only by {@link parseSpiffeId} and {@link workloadId}. */
export type SpiffeId = string & { readonly _: "SpiffeId" };

/** A valid trust domain name of at most 255 bytes. Made only by this file. */
export type TrustDomain = string & { readonly _: "TrustDomain" };

/** The parts of a SPIFFE id of a Kubernetes pod. */
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

/** Returns `text` as an id; null where {@link spiffeIdProblem} finds a problem. */
export function parseSpiffeId(text: string): SpiffeId | null {
  return spiffeIdProblem(text) === null ? text as SpiffeId : null;
}

/** Returns why `text` is not valid, in the words of the Rust SPIFFE library; null: it is. Does not quote `text`. */
export function spiffeIdProblem(text: string): string | null {
  if (text === "") return "cannot be empty";
  // Every character that passes the checks below is one byte, so the length in UTF-16 units equals that in bytes.
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

/** Parses a name, or takes it from `spiffe://td[/path]`; null where that is not valid. */
export function parseTrustDomain(text: string): TrustDomain | null {
  if (text.includes("://")) {
    const id = parseSpiffeId(text);
    return id === null ? null : trustDomainOf(id);
  }
  return trustDomainProblem(text) === null ? text as TrustDomain : null;
}

/** Returns the trust domain of an id. */
export function trustDomainOf(id: SpiffeId): TrustDomain {
  const slash = id.indexOf("/", SCHEME.length);
  return id.slice(SCHEME.length, slash < 0 ? id.length : slash) as TrustDomain;
}

/** Returns whether the id has a path. An id without one names a trust domain, never a workload. */
export function hasPath(id: SpiffeId): boolean {
  return id.indexOf("/", SCHEME.length) >= 0;
}

/** Returns `spiffe://{trustDomain}/ns/{namespace}/sa/{serviceAccount}`; null where that is not valid. */
export function workloadId(trustDomain: string, namespace: string, serviceAccount: string): SpiffeId | null {
  const id = parseSpiffeId(`${SCHEME}${trustDomain}/ns/${namespace}/sa/${serviceAccount}`);
  // A slash inside a part would make it two parts.
  return id !== null && parseWorkloadId(id)?.serviceAccount === serviceAccount ? id : null;
}

/** Returns the parts of a workload's id; null where its path is not `/ns/{ns}/sa/{sa}`. */
export function parseWorkloadId(id: SpiffeId): WorkloadIdentity | null {
  const parts = id.slice(SCHEME.length).split("/");
  const [trustDomain, ns, namespace, sa, serviceAccount] = parts;
  if (parts.length !== 5 || ns !== "ns" || sa !== "sa") return null;
  return { trustDomain: trustDomain!, namespace: namespace!, serviceAccount: serviceAccount! };
}
