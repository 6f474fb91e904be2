/** Keys of certificates in maps. */
import type { CertificateAuthority, CertificateSubject } from "./authority.ts";

/** Returns the key of a subject. Subjects with the same key share a certificate. */
export function subjectKey(subject: CertificateSubject, keyedBy: CertificateAuthority["keyedBy"]): string {
  // A space sorts before every character of an id.
  return keyedBy === "identity" || subject.workloadUid === null ? subject.id : `${subject.id} ${subject.workloadUid}`;
}
