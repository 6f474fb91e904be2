/** Verifies signatures on revocation lists, with the algorithms of RFC 5758, RFC 4055 and RFC 8410. */
import { Buffer } from "node:buffer";
import type { KeyObject } from "node:crypto";
import { loadNodeCrypto } from "../os/runtime_modules.ts";
import { contextTag, DerError, DerReader, Tag, takeOid } from "./der.ts";

interface Scheme {
  /** Null: the key type determines it (Ed25519). */
  readonly hash: "sha256" | "sha384" | "sha512" | null;
  readonly key: "ec" | "rsa" | "ed25519";
  readonly pss?: true;
}

const SCHEMES: Readonly<Record<string, Scheme>> = {
  "1.2.840.10045.4.3.2": { hash: "sha256", key: "ec" },
  "1.2.840.10045.4.3.3": { hash: "sha384", key: "ec" },
  "1.2.840.10045.4.3.4": { hash: "sha512", key: "ec" },
  "1.2.840.113549.1.1.11": { hash: "sha256", key: "rsa" },
  "1.2.840.113549.1.1.12": { hash: "sha384", key: "rsa" },
  "1.2.840.113549.1.1.13": { hash: "sha512", key: "rsa" },
  "1.3.101.112": { hash: null, key: "ed25519" },
};

const RSA_PSS = "1.2.840.113549.1.1.10";
const HASHES: Readonly<Record<string, Scheme["hash"]>> = {
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};

/** `algorithm`: an AlgorithmIdentifier element. Returns null for one that is not allowed, such as SHA-1. Never throws. */
function schemeOf(algorithm: Uint8Array): Scheme | null {
  try {
    const fields = new DerReader(algorithm).enter(Tag.SEQUENCE);
    const oid = takeOid(fields);
    if (oid !== RSA_PSS) return SCHEMES[oid] ?? null;
    // RFC 4055 §3.1: SHA-1 is the default.
    const hash = HASHES[takeOid(fields.enter(Tag.SEQUENCE).enter(contextTag(0, true)).enter(Tag.SEQUENCE))];
    return hash === undefined ? null : { hash, key: "rsa", pss: true };
  } catch (error) {
    if (error instanceof DerError) return null;
    throw error;
  }
}

/** Returns whether signatures with this AlgorithmIdentifier element can be verified. Never throws. */
export function isKnownSignature(algorithm: Uint8Array): boolean {
  return schemeOf(algorithm) !== null;
}

/**
 * Returns whether `signature` is a valid signature on `signed`. `algorithm`: the AlgorithmIdentifier beside the signature.
 * `publicKey`: SubjectPublicKeyInfo. Never throws.
 */
export function isSigned(
  signed: Uint8Array,
  algorithm: Uint8Array,
  signature: Uint8Array,
  publicKey: Uint8Array,
): boolean {
  const scheme = schemeOf(algorithm);
  if (scheme === null) return false;
  const { createPublicKey, verify } = loadNodeCrypto();
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey), format: "der", type: "spki" });
    return key.asymmetricKeyType === scheme.key && verify(scheme.hash, signed, padded(key, scheme), signature);
  } catch {
    // The runtime does not support the key.
    return false;
  }
}

function padded(key: KeyObject, { pss }: Scheme) {
  if (!pss) return key;
  const { constants } = loadNodeCrypto();
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO };
}
