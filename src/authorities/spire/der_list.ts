/** Splits concatenated certificates, as SPIFFE's APIs send chains and bundles (`docs/spec/identity-spire.md` 4.5, 5.2). */
import { DerError, DerReader, Tag } from "../../identity/der.ts";

/**
 * Returns copies of the elements; null where the bytes are not a list of DER sequences or have more than `limit`. Does
 * not parse the certificates.
 */
export function splitCertificates(bytes: Uint8Array, limit: number): Uint8Array[] | null {
  const found: Uint8Array[] = [];
  const reader = new DerReader(bytes);
  try {
    while (!reader.done) {
      if (found.length >= limit) return null;
      found.push(reader.whole(Tag.SEQUENCE).slice());
    }
  } catch (error) {
    if (error instanceof DerError) return null;
    throw error;
  }
  return found;
}
