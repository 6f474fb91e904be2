/** The signing side of a SPIRE server, for scripted agents: certificates like those of the real one. */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import type { RawSvid } from "../../src/authorities/spire/svid.ts";
import { type Issuer, makeCa, makeLeaf } from "../../src/identity/testkit/certificates.ts";

export interface SpireCa {
  readonly trustDomain: string;
  readonly root: Issuer;
  /** Life and back-dating in ms; the defaults are an hour and ten seconds. */
  issue(path: string, options?: IssueOptions): RawSvid;
}

export interface IssueOptions {
  /** ms since the epoch; default: the clock. */
  readonly now?: number;
  readonly lifetime?: number;
  /** Between root and leaf. */
  readonly intermediate?: Issuer;
}

let made = 0;

export function spireCa(trustDomain: string): SpireCa {
  // Each root has a name of its own, with SPIRE a serial number in it.
  const root = makeCa(`SPIFFE ${++made}`, { notAfter: Date.UTC(2100, 0, 1), notBefore: Date.UTC(2020, 0, 1) });
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

/** A new key costs a millisecond; tests with a thousand pods take turns with these. */
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

/** As bundles and the Broker API send certificates: back to back. */
export function backToBack(...certificates: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(certificates.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const certificate of certificates) {
    all.set(certificate, at);
    at += certificate.length;
  }
  return all;
}
