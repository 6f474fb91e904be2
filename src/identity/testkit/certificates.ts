/** Makes valid and invalid certificates and revocation lists for tests. */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import * as build from "../certificate_builder.ts";
import { KeyUsage } from "../certificate_extensions.ts";
import { contextTag } from "../der.ts";
import * as der from "../der_write.ts";
import { spkiOf } from "../local_ca.ts";
import { Oid } from "../oids.ts";

/** 2026-01-01T00:00:00Z in ms since the epoch, the current time in most tests. */
export const NOW = Date.UTC(2026, 0, 1);
/** ms. */
export const HOUR = 3600 * 1000;

/** A CA with its key. */
export interface Issuer {
  readonly certificate: Uint8Array;
  readonly name: Uint8Array;
  readonly key: KeyObject;
}

/** Returns a new P-256 key. */
export function newKey(): KeyObject {
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
}

/** Differences from a usual CA. */
export interface CaOptions {
  readonly issuer?: Issuer;
  readonly key?: KeyObject;
  readonly version?: 1 | 3;
  /** Instead of CA:TRUE and keyCertSign. */
  readonly extensions?: readonly Uint8Array[];
  readonly notBefore?: number;
  readonly notAfter?: number;
  /** Magnitude, big-endian. */
  readonly serial?: Uint8Array;
}

/** A root, or an intermediate where `issuer` is given. */
export function makeCa(organization: string, options: CaOptions = {}): Issuer {
  const key = options.key ?? newKey();
  const name = build.organizationName(organization);
  const signer = options.issuer ?? { name, key };
  const certificate = build.signCertificate({
    version: options.version ?? 3,
    serial: options.serial ?? build.randomSerial(),
    issuer: signer.name,
    subject: name,
    notBefore: options.notBefore ?? NOW - HOUR,
    notAfter: options.notAfter ?? NOW + 1000 * HOUR,
    publicKey: spkiOf(key),
    extensions: options.extensions ?? [build.caConstraints(null), build.keyUsage(KeyUsage.KEY_CERT_SIGN)],
  }, signer.key);
  return { certificate, name, key };
}

/** Differences from a usual workload certificate. */
export interface LeafOptions {
  readonly key?: KeyObject;
  readonly version?: 1 | 3;
  /** The extensions other than the subject alternative name. */
  readonly usage?: readonly Uint8Array[];
  /** The subject alternative name extension, instead of one with `uri`. */
  readonly names?: readonly Uint8Array[];
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly serial?: Uint8Array;
}

/** A workload's certificate with one URI name, DER. */
export function makeLeaf(issuer: Issuer, uri: string, options: LeafOptions = {}): Uint8Array {
  return build.signCertificate({
    version: options.version ?? 3,
    serial: options.serial ?? build.randomSerial(),
    issuer: issuer.name,
    subject: build.organizationName(null),
    notBefore: options.notBefore ?? NOW - HOUR,
    notAfter: options.notAfter ?? NOW + 24 * HOUR,
    publicKey: spkiOf(options.key ?? newKey()),
    extensions: [...options.usage ?? leafUsage(), ...options.names ?? [build.uriAltNames(uri)]],
  }, issuer.key);
}

/** Returns the extensions of a usual leaf, other than the subject alternative name. */
export function leafUsage(): Uint8Array[] {
  return [
    build.keyUsage(KeyUsage.DIGITAL_SIGNATURE),
    build.extendedKeyUsage(Oid.SERVER_AUTH, Oid.CLIENT_AUTH),
    build.leafConstraints(),
  ];
}

/** Differences from a usual revocation list. */
interface CrlOptions {
  /** Default: the issuer's. */
  readonly name?: Uint8Array;
  readonly key?: KeyObject;
  readonly nextUpdate?: number | null;
  /** Default 2. */
  readonly version?: 1 | 2;
  /** Instead of CRLNumber. */
  readonly extensions?: readonly Uint8Array[];
  /** Of each entry. */
  readonly entryExtensions?: readonly Uint8Array[];
}

/** Returns the extensions of a CA that signs certificates and revocation lists. */
export function crlSigner(): Uint8Array[] {
  return [build.caConstraints(null), build.keyUsage(KeyUsage.KEY_CERT_SIGN | KeyUsage.CRL_SIGN)];
}

/** Returns a revocation list in DER, signed by ECDSA with SHA-256. `serials`: magnitudes, big-endian. */
export function makeCrl(issuer: Issuer, serials: readonly Uint8Array[], options: CrlOptions = {}): Uint8Array {
  const { version = 2, nextUpdate = NOW + 24 * HOUR, entryExtensions = [] } = options;
  const algorithm = der.sequence(der.oid(Oid.ECDSA_SHA256));
  const entries = serials.map((serial) =>
    der.sequence(
      der.unsignedInteger(serial),
      der.time(NOW - HOUR),
      ...(entryExtensions.length > 0 ? [der.sequence(...entryExtensions)] : []),
    )
  );
  const extensions = options.extensions ?? [build.extension("2.5.29.20", false, der.smallInteger(1))];
  const list = der.sequence(
    ...(version === 2 ? [der.smallInteger(1)] : []),
    algorithm,
    options.name ?? issuer.name,
    der.time(NOW - HOUR),
    ...(nextUpdate === null ? [] : [der.time(nextUpdate)]),
    ...(entries.length > 0 ? [der.sequence(...entries)] : []),
    ...(version === 2 ? [der.element(contextTag(0, true), der.sequence(...extensions))] : []),
  );
  return der.sequence(list, algorithm, der.bitString(sign("sha256", list, options.key ?? issuer.key)));
}
