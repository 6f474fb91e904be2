/** A certificate of the mesh for whoever has the authority's files: what a compromised workload would have. */
import { LocalAuthority } from "../../src/identity/local_authority.ts";
import { loadOrCreateLocalCa } from "../../src/identity/local_ca.ts";
import { encodePem } from "../../src/identity/pem.ts";
import { parseSpiffeId } from "../../src/identity/spiffe_id.ts";

/** PEM texts. */
export interface Credentials {
  readonly certificate: string;
  readonly key: string;
}

/** From the pair of files that proxies with `FAKE_CA=true` share (`LOCAL_CA_CERT`, `LOCAL_CA_KEY`). */
export async function issue(caCertificate: string, caKey: string, spiffeId: string): Promise<Credentials> {
  const id = parseSpiffeId(spiffeId);
  if (id === null) throw new Error(`"${spiffeId}" is no SPIFFE id`);
  const ca = loadOrCreateLocalCa(caCertificate, caKey, Date.now());
  const authority = new LocalAuthority({ ca, now: Date.now });
  const issued = await authority.fetch({ id, workloadUid: null }, AbortSignal.timeout(10_000));
  return {
    certificate: issued.chain.map((der) => encodePem("CERTIFICATE", der)).join(""),
    key: encodePem("PRIVATE KEY", issued.key),
  };
}
