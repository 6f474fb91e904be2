/**
 * The part of peer verification that depends on the certificates alone, not on the expected peer or the time, so that
 * its result can be cached.
 *
 * The TLS library has checked signatures, names, validity and purpose. It does not implement SPIFFE and is lenient
 * where the X.509-SVID standard is strict (`docs/spec/identity-spire.md` 6.4 and 8, `docs/spec/observed.md` O34).
 */
import type { PeerRefusal } from "../net/tls_context.ts";
import { type Certificate, equalBytes, isMalformed, parseCertificate } from "./certificate.ts";
import { KeyUsage } from "./certificate_extensions.ts";
import { type NameConstraints, permitsTrustDomain } from "./name_constraints.ts";
import { Oid } from "./oids.ts";
import { publicKeyProblem } from "./public_key.ts";
import {
  hasPath,
  parseSpiffeId,
  parseWorkloadId,
  type SpiffeId,
  spiffeIdProblem,
  type TrustDomain,
  trustDomainOf,
  type WorkloadIdentity,
} from "./spiffe_id.ts";
import { anchorKey } from "./trust_bundles.ts";

/** Stable codes of the reasons for which peer verification refuses. */
export type PeerRefusalCode =
  | "NO_CERTIFICATE"
  | "NO_ISSUER"
  | "CHAIN_TOO_LONG"
  | "MALFORMED_CERTIFICATE"
  | "NOT_VERSION_3"
  | "KEY_NOT_ALLOWED"
  | "NO_URI_SAN"
  | "SEVERAL_URI_SANS"
  | "INVALID_SPIFFE_ID"
  | "LEAF_IS_CA"
  | "LEAF_SIGNS_CERTIFICATES"
  | "WRONG_USAGE"
  | "ISSUER_NOT_CA"
  | "ISSUER_CANNOT_SIGN"
  | "PATH_TOO_LONG"
  | "NAME_CONSTRAINT"
  | "NOT_YET_VALID"
  | "EXPIRED"
  | "SAN_MISMATCH"
  | "TRUST_DOMAIN_MISMATCH"
  | "UNTRUSTED_ANCHOR"
  | "REVOKED"
  | "CRL_NOT_USABLE"
  | "UNKNOWN_ISSUER"
  | "NAME_MISMATCH";

/** Why a peer was refused. */
export interface CodedRefusal extends PeerRefusal {
  readonly code: PeerRefusalCode;
}

/** The side of the connection on which the peer is. */
export type PeerRole = "client" | "server";

/** The result for a chain that passed. */
export interface PeerChain {
  readonly id: SpiffeId;
  readonly trustDomain: TrustDomain;
  /** Null where the id has another shape than `/ns/{ns}/sa/{sa}`. */
  readonly workload: WorkloadIdentity | null;
  /** ms since the epoch: the latest notBefore and the earliest notAfter of the path, anchor included. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** The key of the trust anchor (`anchorKey`). */
  readonly anchor: string;
}

/** The longest path: a leaf, its anchor and up to six intermediates. */
export const MAX_CHAIN = 8;

/** Makes a refusal. `message`: for the log; names from the peer must be escaped and bounded. */
export function refuse(code: PeerRefusalCode, message: string): CodedRefusal {
  return { code, message };
}

/** True for a refusal, false for a successful result. */
export function isRefusal(result: object): result is CodedRefusal {
  return "code" in result;
}

/** Checks a verified path. `chain`: DER, leaf first, trust anchor last. `role`: of the peer. Never throws. */
export function inspectChain(chain: readonly Uint8Array[], role: PeerRole): PeerChain | CodedRefusal {
  const path = parsePath(chain);
  if (!Array.isArray(path)) return path;
  const [leaf, ...issuers] = path as [Certificate, ...Certificate[]];
  const id = spiffeIdOfLeaf(leaf);
  if (typeof id !== "string") return id;
  const trustDomain = trustDomainOf(id);
  const permits = (constraints: NameConstraints) => permitsTrustDomain(constraints, trustDomain);
  const refusal = checkLeaf(leaf, role) ?? checkIssuers(issuers, role, permits, `trust domain ${trustDomain}`);
  if (refusal !== null) return refusal;
  return {
    id,
    trustDomain,
    workload: parseWorkloadId(id),
    notBefore: Math.max(...path.map((certificate) => certificate.notBefore)),
    notAfter: Math.min(...path.map((certificate) => certificate.notAfter)),
    anchor: anchorKey(issuers.at(-1)!),
  };
}

function parsePath(chain: readonly Uint8Array[]): Certificate[] | CodedRefusal {
  if (chain.length === 0) return refuse("NO_CERTIFICATE", "peer sent no certificate");
  if (chain.length === 1) return refuse("NO_ISSUER", "peer certificate has no issuer other than itself");
  if (chain.length > MAX_CHAIN) {
    return refuse("CHAIN_TOO_LONG", `certificate path of ${chain.length} is longer than ${MAX_CHAIN}`);
  }
  return parseAll(chain);
}

/** Parses all certificates, which must be well-formed, of version 3 and have an allowed key. Never throws. */
export function parseAll(chain: readonly Uint8Array[]): Certificate[] | CodedRefusal {
  const path: Certificate[] = [];
  for (const [depth, der] of chain.entries()) {
    const certificate = parseCertificate(der);
    if (isMalformed(certificate)) {
      return refuse("MALFORMED_CERTIFICATE", `${certificateAt(depth)} is malformed: ${certificate.problem}`);
    }
    if (certificate.version !== 3) {
      return refuse("NOT_VERSION_3", `${certificateAt(depth)} has X.509 version ${certificate.version}, not 3`);
    }
    const problem = publicKeyProblem(certificate.publicKey);
    if (problem !== null) return refuse("KEY_NOT_ALLOWED", `${certificateAt(depth)}: ${problem}`);
    path.push(certificate);
  }
  return path;
}

/** Names the certificate at `depth` in messages; the leaf has depth 0. */
export function certificateAt(depth: number): string {
  return depth === 0 ? "peer certificate" : `issuer certificate at depth ${depth}`;
}

/** Returns the only URI name of a leaf, which must be a strict SPIFFE id with a path (X.509-SVID; observed.md O34). */
export function spiffeIdOfLeaf(leaf: Certificate): SpiffeId | CodedRefusal {
  const [uri, ...more] = leaf.uris;
  if (uri === undefined) return refuse("NO_URI_SAN", "peer certificate has no URI name, so no SPIFFE id");
  if (more.length > 0) {
    return refuse("SEVERAL_URI_SANS", `peer certificate has ${more.length + 1} URI names, exactly one is allowed`);
  }
  const id = parseSpiffeId(uri);
  if (id === null) return refuse("INVALID_SPIFFE_ID", `invalid SPIFFE id ${quote(uri)}: ${spiffeIdProblem(uri)}`);
  return hasPath(id) ? id : refuse("INVALID_SPIFFE_ID", `invalid SPIFFE id ${quote(uri)}: path is missing`);
}

/** Escapes and bounds text from the peer, so that it cannot forge log lines or fill the log. */
function quote(text: string): string {
  return text.length <= 256 ? JSON.stringify(text) : `${JSON.stringify(text.slice(0, 256))}...`;
}

/** Checks that the leaf is no CA, may not sign and may be used in this role. Returns null where it passes. */
export function checkLeaf(leaf: Certificate, role: PeerRole): CodedRefusal | null {
  if (leaf.basicConstraints?.ca) return refuse("LEAF_IS_CA", "a CA certificate was used as peer certificate");
  if ((leaf.keyUsage ?? 0) & (KeyUsage.KEY_CERT_SIGN | KeyUsage.CRL_SIGN)) {
    return refuse("LEAF_SIGNS_CERTIFICATES", "key usage of the peer certificate allows signing certificates or CRLs");
  }
  if (leaf.extendedKeyUsage !== null && !leaf.extendedKeyUsage.includes(usageOf(role))) {
    return refuse("WRONG_USAGE", `extended key usage of the peer certificate does not include ${role}Auth`);
  }
  return null;
}

function usageOf(role: PeerRole): string {
  return role === "client" ? Oid.CLIENT_AUTH : Oid.SERVER_AUTH;
}

/**
 * Checks that each issuer is a CA, may sign, and permits the role and the names below it. Returns null where all pass.
 * `issuers`: from the issuer of the leaf to the anchor. `role`: of the leaf. `whom`: the names for which `permits` is
 * called, for the message.
 */
export function checkIssuers(
  issuers: readonly Certificate[],
  role: PeerRole,
  permits: (constraints: NameConstraints) => boolean,
  whom: string,
): CodedRefusal | null {
  /** The number of CA certificates below `issuer` that count against its path length (RFC 5280 §4.2.1.9). */
  let below = 0;
  for (const [index, issuer] of issuers.entries()) {
    const where = certificateAt(index + 1);
    const constraints = issuer.basicConstraints;
    if (!constraints?.ca) return refuse("ISSUER_NOT_CA", `${where} is not a CA`);
    if (issuer.keyUsage !== null && !(issuer.keyUsage & KeyUsage.KEY_CERT_SIGN)) {
      return refuse("ISSUER_CANNOT_SIGN", `key usage of ${where} does not allow signing certificates`);
    }
    if (constraints.pathLength !== null && below > constraints.pathLength) {
      return refuse("PATH_TOO_LONG", `${where} allows ${constraints.pathLength} CAs below it, not ${below}`);
    }
    // The usage of an anchor is not checked: it is trusted by configuration. Below it, a CA for e-mail, for example,
    // must not issue for servers.
    const usage = index < issuers.length - 1 ? issuer.extendedKeyUsage : null;
    if (usage !== null && !usage.includes(usageOf(role)) && !usage.includes(Oid.ANY_USAGE)) {
      return refuse("WRONG_USAGE", `extended key usage of ${where} does not include ${role}Auth`);
    }
    if (issuer.nameConstraints !== null && !permits(issuer.nameConstraints)) {
      return refuse("NAME_CONSTRAINT", `${where} is constrained and may not vouch for ${whom}`);
    }
    if (!equalBytes(issuer.subject, issuer.issuer)) below++;
  }
  return null;
}
