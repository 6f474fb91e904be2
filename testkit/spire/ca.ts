/** The CA of a SPIRE server, for scripted agents; its certificates are like those of a real one. */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import type { RawSvid } from "../../src/authorities/spire/svid.ts";
import { type Issuer, makeCa, makeLeaf } from "../../src/identity/testkit/certificates.ts";

/** A CA of one trust domain. */
export interface SpireCa {
  readonly trustDomain: string;
  readonly root: Issuer;
  /** Issues an SVID that is back-dated by ten seconds. `path`: of the SPIFFE id. */
  issue(path: string, options?: IssueOptions): RawSvid;
}

/** Settings of an SVID. */
interface IssueOptions {
  /** ms since the epoch; default: the clock. */
  readonly now?: number;
  /** ms; default an hour. */
  readonly lifetime?: number;
  /** The issuer instead of the root. */
  readonly intermediate?: Issuer;
}

/** The number of CAs so far. */
let count = 0;

/** Makes a CA. */
export function spireCa(trustDomain: string): SpireCa {
  // Each root has its own name; the real server puts a serial number into it.
  const root = makeCa(`SPIFFE ${++count}`, { notAfter: Date.UTC(2100, 0, 1), notBefore: Date.UTC(2020, 0, 1) });
  return {
    trustDomain,
    root,
    issue(path, { now = Date.now(), lifetime = 3600_000, intermediate } = {}) {
      const id = `spiffe://${trustDomain}${path}`;
      const { key, der } = nextKey();
      const notAfter = now + lifetime;
      const leaf = makeLeaf(intermediate ?? root, id, { key, notBefore: now - 10_000, notAfter });
      const chain = intermediate === undefined ? [leaf] : [leaf, intermediate.certificate];
      return { id, chain, key: der };
    },
  };
}

/** Keys are reused in turn, as making one takes a millisecond and some tests have a thousand pods. */
const keys: { readonly key: KeyObject; readonly der: Uint8Array }[] = [];
const KEYS = 16;
let turn = 0;

function nextKey() {
  if (keys.length < KEYS) {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const der = new Uint8Array(privateKey.export({ format: "der", type: "pkcs8" }));
    keys.push({ key: createPrivateKey(privateKey.export({ format: "pem", type: "pkcs8" })), der });
  }
  return keys[turn++ % keys.length]!;
}

/** Concatenates certificates, as bundles and the Broker API do. */
export function concatenated(...certificates: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(certificates.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const certificate of certificates) {
    all.set(certificate, at);
    at += certificate.length;
  }
  return all;
}
