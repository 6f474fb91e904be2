/** Which public keys are allowed (`docs/spec/identity-spire.md` 6.1), whatever the TLS library allows. */
import { DerError, DerReader, Tag, takeInteger, takeOid } from "./der.ts";
import { Oid } from "./oids.ts";

const CURVES: ReadonlySet<string> = new Set([Oid.P256, Oid.P384, Oid.P521]);
const MIN_RSA_BITS = 2048;
/** 16384 bits and a sign octet. Verifying signatures of larger keys would take too much CPU time. */
const MAX_RSA_BYTES = 2049;

/** Returns why a key is not allowed, for the log; null: it is. `spki`: SubjectPublicKeyInfo. Never throws. */
export function publicKeyProblem(spki: Uint8Array): string | null {
  try {
    const fields = new DerReader(spki).enter(Tag.SEQUENCE);
    const algorithm = fields.enter(Tag.SEQUENCE);
    const key = fields.take(Tag.BIT_STRING).subarray(1);
    return keyProblem(takeOid(algorithm), algorithm, key);
  } catch (error) {
    if (error instanceof DerError) return `public key is malformed: ${error.message}`;
    throw error;
  }
}

function keyProblem(algorithm: string, parameters: DerReader, key: Uint8Array): string | null {
  switch (algorithm) {
    case Oid.EC_PUBLIC_KEY: {
      const curve = parameters.tag === Tag.OID ? takeOid(parameters) : "none that has a name";
      return CURVES.has(curve) ? null : `elliptic curve ${curve} is not allowed (P-256, P-384, P-521 are)`;
    }
    case Oid.RSA: {
      const bits = bitLength(takeInteger(new DerReader(key).enter(Tag.SEQUENCE), MAX_RSA_BYTES));
      return bits >= MIN_RSA_BITS ? null : `RSA key of ${bits} bits is too short (${MIN_RSA_BITS} are needed)`;
    }
    case Oid.ED25519:
      return null;
    default:
      return `public key algorithm ${algorithm} is not allowed (ECDSA, RSA and Ed25519 are)`;
  }
}

/** The number of bits of a positive INTEGER, given its content octets. */
function bitLength(integer: Uint8Array): number {
  const digits = integer[0] === 0 ? integer.subarray(1) : integer;
  return digits.length === 0 ? 0 : 8 * digits.length - Math.clz32(digits[0]!) + 24;
}
