/**
 * SHA-256 for keys of caches and sets. A library in JavaScript, since `node:crypto` takes 10 to 15 ms of CPU to load and
 * a worker needs it for nothing else; a hash of a certificate path takes a few microseconds with either.
 */
import { sha256 as noble } from "@noble/hashes/sha2.js";

/** Returns the 32 bytes of the hash of `bytes`. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return noble(bytes);
}

/** Returns the hash over the concatenated `parts` in base64. */
export function sha256Text(...parts: readonly Uint8Array[]): string {
  const hash = noble.create();
  for (const part of parts) hash.update(part);
  return hash.digest().toBase64();
}
