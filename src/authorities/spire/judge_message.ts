/** What a message of the agent means for one subject. No I/O, no clock. */
import { CertificateError } from "../../identity/authority.ts";
import { equalBytes } from "../../identity/certificate.ts";
import { isExpired } from "../../identity/renewal.ts";
import { parseSpiffeId, type SpiffeId, trustDomainOf } from "../../identity/spiffe_id.ts";
import type { SvidMessage, SvidWords } from "./source.ts";
import { chooseSvid, printable, readSvid, type Svid } from "./svid.ts";

export type Judgement =
  /** The SVID that is held; bundles and federation may differ. */
  | { readonly kind: "same" }
  | { readonly kind: "new"; readonly svid: Svid }
  /** There is none for the subject: whatever is held must not be used any more. */
  | { readonly kind: "absent"; readonly error: CertificateError }
  /** Of no use, and no reason to drop what is held. */
  | { readonly kind: "unusable"; readonly error: CertificateError };

/** `asked`: see `Attestation`. `now`: ms since the epoch. */
export function judgeMessage(
  message: SvidMessage,
  wanted: SpiffeId,
  words: SvidWords,
  asked: string,
  held: Svid | null,
  now: number,
): Judgement {
  const [first] = message.svids;
  if (first === undefined) {
    return { kind: "absent", error: new CertificateError(words.noEntry(wanted, asked), "NO_ENTRY") };
  }
  const chosen = chooseSvid(message.svids, wanted);
  if (chosen === null) {
    const text = `${words.mismatch(wanted, printable(first.id), asked)}${domainHint(wanted, first.id)}`;
    return { kind: "absent", error: new CertificateError(text, "SAN_MISMATCH") };
  }
  if (held !== null && !isExpired(held, now) && isSame(held, chosen.chain)) return { kind: "same" };
  const svid = readSvid(chosen, wanted);
  if (svid instanceof CertificateError) return { kind: "unusable", error: svid };
  // O20: while the server is away the agent goes on giving out what it has.
  if (isExpired(svid, now)) return { kind: "unusable", error: expired(svid, now) };
  return { kind: "new", svid };
}

/** The cure where the ids differ in the trust domain, not in the workload. */
function domainHint(wanted: SpiffeId, got: string): string {
  const id = parseSpiffeId(got);
  const [ours, theirs] = [trustDomainOf(wanted), id === null ? null : trustDomainOf(id)];
  if (theirs === null || theirs === ours) return "";
  return `; SPIRE's trust domain is ${theirs} and the mesh's is ${ours}: CLUSTER_DOMAIN and the mesh's trust domain ` +
    "must be SPIRE's";
}

function isSame(held: Svid, chain: readonly Uint8Array[]): boolean {
  const leaf = held.chain[0]!;
  const other = chain[0];
  return other !== undefined && equalBytes(leaf, other.subarray(0, leaf.length));
}

function expired(svid: Svid, now: number): CertificateError {
  const [when, ours] = [svid.notAfter, now].map((time) => new Date(time).toISOString());
  return new CertificateError(
    `the SPIRE agent gives an SVID for ${svid.id} that expired at ${when} (the clock of this node says ${ours}); ` +
      "can the agent reach its SPIRE server?",
    "EXPIRED",
  );
}
