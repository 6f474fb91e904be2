/** Signatures on what an authority signed besides certificates, by the algorithms of RFC 5280 and its like. */
import { Buffer } from "node:buffer";
import { constants, createPublicKey, type KeyObject, verify } from "node:crypto";
import { contextTag, DerError, DerReader, Tag, takeOid } from "./der.ts";

interface Scheme {
  /** Null: the key decides (Ed25519). */
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

/** `algorithm`: an AlgorithmIdentifier element. Null for one that we do not believe, SHA-1 among them. Never throws. */
function schemeOf(algorithm: Uint8Array): Scheme | null {
  try {
    const fields = new DerReader(algorithm).enter(Tag.SEQUENCE);
    const oid = takeOid(fields);
    if (oid !== RSA_PSS) return SCHEMES[oid] ?? null;
    // RFC 4055 §3.1: without a hash algorithm it is SHA-1.
    const hash = HASHES[takeOid(fields.enter(Tag.SEQUENCE).enter(contextTag(0, true)).enter(Tag.SEQUENCE))];
    return hash === undefined ? null : { hash, key: "rsa", pss: true };
  } catch (error) {
    if (error instanceof DerError) return null;
    throw error;
  }
}

export function isKnownSignature(algorithm: Uint8Array): boolean {
  return schemeOf(algorithm) !== null;
}

/** `publicKey`: SubjectPublicKeyInfo. `algorithm`: as it stands beside the signature. Never throws. */
export function isSigned(
  signed: Uint8Array,
  algorithm: Uint8Array,
  signature: Uint8Array,
  publicKey: Uint8Array,
): boolean {
  const scheme = schemeOf(algorithm);
  if (scheme === null) return false;
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey), format: "der", type: "spki" });
    return key.asymmetricKeyType === scheme.key && verify(scheme.hash, signed, padded(key, scheme), signature);
  } catch {
    // A key that the runtime cannot read proves nothing.
    return false;
  }
}

function padded(key: KeyObject, { pss }: Scheme) {
  if (!pss) return key;
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO };
}
