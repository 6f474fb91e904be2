/** Good and bad certificates for tests. Keys are made once per process: they decide nothing here. */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import * as build from "../certificate_builder.ts";
import { KeyUsage } from "../certificate_extensions.ts";
import { contextTag } from "../der.ts";
import * as der from "../der_write.ts";
import { spkiOf } from "../local_ca.ts";
import { Oid } from "../oids.ts";

/** 2026-01-01T00:00:00Z, the "now" of most tests. */
export const NOW = Date.UTC(2026, 0, 1);
export const HOUR = 3600 * 1000;

export interface Issuer {
  readonly certificate: Uint8Array;
  readonly name: Uint8Array;
  readonly key: KeyObject;
}

export function newKey(): KeyObject {
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
}

export interface CaOptions {
  readonly issuer?: Issuer;
  readonly key?: KeyObject;
  readonly version?: 1 | 3;
  /** Instead of CA:TRUE and keyCertSign. */
  readonly extensions?: readonly Uint8Array[];
  readonly notBefore?: number;
  readonly notAfter?: number;
  /** Magnitude. */
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

export interface LeafOptions {
  readonly key?: KeyObject;
  readonly version?: 1 | 3;
  /** In place of those of a proper leaf, SAN excepted. */
  readonly usage?: readonly Uint8Array[];
  /** In place of one URI name. */
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

export function leafUsage(): Uint8Array[] {
  return [
    build.keyUsage(KeyUsage.DIGITAL_SIGNATURE),
    build.extendedKeyUsage(Oid.SERVER_AUTH, Oid.CLIENT_AUTH),
    build.leafConstraints(),
  ];
}

export interface CrlOptions {
  /** Default: the issuer's. */
  readonly name?: Uint8Array;
  readonly key?: KeyObject;
  readonly nextUpdate?: number | null;
  /** Default 2. */
  readonly version?: 1 | 2;
  /** In place of CRLNumber. */
  readonly extensions?: readonly Uint8Array[];
  /** Of each entry. */
  readonly entryExtensions?: readonly Uint8Array[];
}

/** Extensions of an authority that signs certificates and revocation lists. */
export function crlSigner(): Uint8Array[] {
  return [build.caConstraints(null), build.keyUsage(KeyUsage.KEY_CERT_SIGN | KeyUsage.CRL_SIGN)];
}

/** A revocation list, DER, signed by ECDSA with SHA-256. `serials`: magnitudes. */
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
