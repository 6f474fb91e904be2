/**
 * The certification authority of `FAKE_CA=true`: one P-256 key and a self-signed certificate, in memory or in two PEM
 * files. Processes that share the files trust each other.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import * as build from "./certificate_builder.ts";
import { equalBytes, isMalformed, parseCertificate } from "./certificate.ts";
import { KeyUsage } from "./certificate_extensions.ts";
import { createExclusively, fileExists } from "./exclusive_file.ts";
import { decodePem, encodePem, isPemProblem } from "./pem.ts";

/** The key of the authority and its certificate. */
export interface LocalCa {
  /** DER. */
  readonly certificate: Uint8Array;
  /** Name element for the issuer field of issued certificates. */
  readonly name: Uint8Array;
  /** For authorityKeyIdentifier of issued certificates. */
  readonly keyId: Uint8Array;
  readonly key: KeyObject;
}

/** The files do not contain a usable authority. The proxy does not start. */
export class LocalCaError extends Error {
  override readonly name = "LocalCaError";
  readonly code = "LOCAL_CA";
}

const YEAR = 365 * 24 * 3600 * 1000;
const HOUR = 3600 * 1000;

/** Creates an authority in memory, valid from one hour before `now`, in ms since the epoch, for ten years. */
export function createLocalCa(now: number, organization = "Local CA"): LocalCa {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return localCa(selfSign(privateKey, organization, now), privateKey);
}

function selfSign(key: KeyObject, organization: string, now: number): Uint8Array {
  const publicKey = spkiOf(key);
  const name = build.organizationName(organization);
  return build.signCertificate({
    serial: build.randomSerial(),
    issuer: name,
    subject: name,
    notBefore: now - HOUR,
    notAfter: now + 10 * YEAR,
    publicKey,
    extensions: [
      build.caConstraints(null),
      build.keyUsage(KeyUsage.KEY_CERT_SIGN | KeyUsage.CRL_SIGN),
      build.subjectKeyId(publicKey),
    ],
  }, key);
}

function localCa(der: Uint8Array, key: KeyObject): LocalCa {
  const certificate = parseCertificate(der);
  if (isMalformed(certificate)) throw new LocalCaError(`CA certificate cannot be used: ${certificate.problem}`);
  if (!equalBytes(certificate.publicKey, spkiOf(key))) {
    throw new LocalCaError("CA certificate cannot be used: it does not belong to the CA key");
  }
  if (!certificate.basicConstraints?.ca) {
    throw new LocalCaError("CA certificate cannot be used: it is no CA (basicConstraints CA:TRUE is missing)");
  }
  const keyId = certificate.subjectKeyId ?? build.keyId(certificate.publicKey);
  return { certificate: der, name: certificate.subject, keyId, key };
}

/** Returns the public half of `key` as SubjectPublicKeyInfo. */
export function spkiOf(key: KeyObject): Uint8Array {
  return createPublicKey(key).export({ format: "der", type: "spki" });
}

/**
 * Reads the authority from PEM files and creates those that are missing (mode 0600). Processes that do this at the same
 * time get the same authority: the key file is created first and exclusively, and all certificates of one key are
 * equivalent. `now`: ms since the epoch. Throws {@link LocalCaError}.
 */
export function loadOrCreateLocalCa(certificatePath: string, keyPath: string, now: number): LocalCa {
  // The order of the checks matters, as another process creates the key file before the certificate file.
  const orphan = fileExists(certificatePath) && !fileExists(keyPath);
  if (orphan) {
    throw new LocalCaError(`CA key "${keyPath}" is missing while its certificate "${certificatePath}" exists`);
  }
  createExclusively(keyPath, newKeyPem);
  const key = readKey(keyPath);
  createExclusively(certificatePath, () => encodePem("CERTIFICATE", selfSign(key, "Local CA", now)));
  return localCa(readCertificate(certificatePath), key);
}

function newKeyPem(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return encodePem("PRIVATE KEY", privateKey.export({ format: "der", type: "pkcs8" }));
}

function readKey(path: string): KeyObject {
  const text = Deno.readTextFileSync(path);
  let key: KeyObject;
  try {
    key = createPrivateKey(text);
  } catch {
    // The error is not passed on, as its text could contain the key.
    throw new LocalCaError(`CA key "${path}" is no unencrypted private key in PEM`);
  }
  if (key.asymmetricKeyType !== "ec" && key.asymmetricKeyType !== "rsa") {
    throw new LocalCaError(`CA key "${path}" has type "${key.asymmetricKeyType}" and must be EC or RSA`);
  }
  return key;
}

function readCertificate(path: string): Uint8Array {
  const blocks = decodePem(Deno.readTextFileSync(path));
  if (isPemProblem(blocks)) throw new LocalCaError(`CA certificate "${path}" cannot be read: ${blocks.problem}`);
  const block = blocks.find((candidate) => candidate.label === "CERTIFICATE");
  if (block === undefined) throw new LocalCaError(`CA certificate "${path}" holds no certificate in PEM`);
  return block.der;
}
