/** Certificates for test peers: from the CA in the proxies' shared files, or from another one. */
import { loadOrCreateLocalCa } from "../src/identity/local_ca.ts";
import { encodePem } from "../src/identity/pem.ts";
import { HOUR, type Issuer, type LeafOptions, makeCa, makeLeaf, newKey } from "../src/identity/testkit/certificates.ts";
import { caFiles } from "../lab/settings.ts";

/** A certificate and its private key in PEM, as options of `node:tls`. */
export interface Credential {
  readonly cert: string;
  readonly key: string;
}

/** The CA of the proxies whose files are in `folder`; created if it does not exist. */
export function sharedCa(folder: string): Issuer {
  const { LOCAL_CA_CERT, LOCAL_CA_KEY } = caFiles(folder);
  return loadOrCreateLocalCa(LOCAL_CA_CERT, LOCAL_CA_KEY, Date.now());
}

/** A new CA that no proxy trusts. */
export function foreignCa(): Issuer {
  return makeCa("Foreign CA", { notBefore: Date.now() - HOUR, notAfter: Date.now() + HOUR });
}

/** A leaf certificate with the URI name `uri`, valid from an hour ago for two hours unless `options` differ. */
export function credential(issuer: Issuer, uri: string, options: LeafOptions = {}): Credential {
  const key = options.key ?? newKey();
  const leaf = makeLeaf(issuer, uri, { notBefore: Date.now() - HOUR, notAfter: Date.now() + HOUR, ...options, key });
  return {
    cert: encodePem("CERTIFICATE", leaf),
    key: encodePem("PRIVATE KEY", new Uint8Array(key.export({ format: "der", type: "pkcs8" }))),
  };
}
