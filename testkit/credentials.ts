/** Certificates that test peers show: from the CA of the proxies' shared files, or from one of their own. */
import { loadOrCreateLocalCa } from "../src/identity/local_ca.ts";
import { encodePem } from "../src/identity/pem.ts";
import { HOUR, type Issuer, type LeafOptions, makeCa, makeLeaf, newKey } from "../src/identity/testkit/certificates.ts";
import { caFiles } from "../lab/settings.ts";

/** PEM, as `node:tls` takes it. */
export interface Credential {
  readonly cert: string;
  readonly key: string;
}

/** The CA that proxies with this folder share; made where it is not there yet. */
export function sharedCa(folder: string): Issuer {
  const { LOCAL_CA_CERT, LOCAL_CA_KEY } = caFiles(folder);
  return loadOrCreateLocalCa(LOCAL_CA_CERT, LOCAL_CA_KEY, Date.now());
}

/** A CA that nobody trusts. */
export function foreignCa(): Issuer {
  return makeCa("Foreign CA", { notBefore: Date.now() - HOUR, notAfter: Date.now() + HOUR });
}

/** A leaf for `uri`, valid now unless `options` say otherwise. */
export function credential(issuer: Issuer, uri: string, options: LeafOptions = {}): Credential {
  const key = options.key ?? newKey();
  const leaf = makeLeaf(issuer, uri, { notBefore: Date.now() - HOUR, notAfter: Date.now() + HOUR, ...options, key });
  return {
    cert: encodePem("CERTIFICATE", leaf),
    key: encodePem("PRIVATE KEY", new Uint8Array(key.export({ format: "der", type: "pkcs8" }))),
  };
}
