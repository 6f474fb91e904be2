/** Interprets a message of the agent for one subject. */
import { CertificateError } from "../../identity/authority.ts";
import { equalBytes } from "../../identity/certificate.ts";
import { isExpired } from "../../identity/renewal.ts";
import { parseSpiffeId, type SpiffeId, trustDomainOf } from "../../identity/spiffe_id.ts";
import type { SvidMessage, SvidWords } from "./source.ts";
import { chooseSvid, printable, readSvid, type Svid } from "./svid.ts";

/** The meaning of a message. */
type Interpretation =
  /** The current SVID; bundles and federation may differ. */
  | { readonly kind: "same" }
  /** Another SVID. */
  | { readonly kind: "new"; readonly svid: Svid }
  /** There is no SVID for the subject. */
  | { readonly kind: "absent"; readonly error: CertificateError }
  /** The message cannot be used; the current SVID stays in use. */
  | { readonly kind: "unusable"; readonly error: CertificateError };

/** Interprets a message. `target`: see `Attestation`. `current`: the current SVID. `now`: ms since the epoch. */
export function interpretMessage(
  message: SvidMessage,
  expected: SpiffeId,
  words: SvidWords,
  target: string,
  current: Svid | null,
  now: number,
): Interpretation {
  const [first] = message.svids;
  if (first === undefined) {
    return { kind: "absent", error: new CertificateError(words.noEntry(expected, target), "NO_ENTRY") };
  }
  const chosen = chooseSvid(message.svids, expected);
  if (chosen === null) {
    const text = `${words.mismatch(expected, printable(first.id), target)}${domainHint(expected, first.id)}`;
    return { kind: "absent", error: new CertificateError(text, "SAN_MISMATCH") };
  }
  if (current !== null && !isExpired(current, now) && isSame(current, chosen.chain)) return { kind: "same" };
  const svid = readSvid(chosen, expected);
  if (svid instanceof CertificateError) return { kind: "unusable", error: svid };
  // While its server is unreachable, the agent keeps sending expired SVIDs (observed.md O20).
  if (isExpired(svid, now)) return { kind: "unusable", error: expiredError(svid, now) };
  return { kind: "new", svid };
}

/** Returns a hint for ids of another trust domain. */
function domainHint(expected: SpiffeId, got: string): string {
  const id = parseSpiffeId(got);
  const [ours, theirs] = [trustDomainOf(expected), id === null ? null : trustDomainOf(id)];
  if (theirs === null || theirs === ours) return "";
  return `; SPIRE's trust domain is ${theirs} and the mesh's is ${ours}: CLUSTER_DOMAIN and the mesh's trust domain ` +
    "must be SPIRE's";
}

function isSame(current: Svid, chain: readonly Uint8Array[]): boolean {
  const leaf = current.chain[0]!;
  const other = chain[0];
  return other !== undefined && equalBytes(leaf, other.subarray(0, leaf.length));
}

function expiredError(svid: Svid, now: number): CertificateError {
  const [when, ours] = [svid.notAfter, now].map((time) => new Date(time).toISOString());
  return new CertificateError(
    `the SPIRE agent gives an SVID for ${svid.id} that expired at ${when} (the clock of this node says ${ours}); ` +
      "can the agent reach its SPIRE server?",
    "EXPIRED",
  );
}
