/** Good and bad certificates for tests. Keys are made once per process: they decide nothing here. */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import * as build from "./certificate_builder.ts";
import { KeyUsage } from "./certificate_extensions.ts";
import { spkiOf } from "./local_ca.ts";
import { Oid } from "./oids.ts";

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
}

/** A root, or an intermediate where `issuer` is given. */
export function makeCa(organization: string, options: CaOptions = {}): Issuer {
  const key = options.key ?? newKey();
  const name = build.organizationName(organization);
  const signer = options.issuer ?? { name, key };
  const certificate = build.signCertificate({
    version: options.version ?? 3,
    serial: build.randomSerial(),
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
