/** The proxy's side of a real SPIRE. */
import { strict as assert } from "node:assert";
import { systemProcesses } from "../../src/authorities/spire/process_table.ts";
import type { Variables } from "../../src/config/environment.ts";
import { CertificateError, type CertificateSubject, type IssuedCertificate } from "../../src/identity/authority.ts";
import { workloadId } from "../../src/identity/spiffe_id.ts";
import { eventually } from "../../lab/patience.ts";
import { SpireClient } from "./client.ts";
import type { RealSpire } from "./real.ts";

export function client(spire: RealSpire, variables: Variables = {}): SpireClient {
  return new SpireClient({
    variables: { SPIRE_ENABLED: "true", SPIRE_ADMIN_ENDPOINT_SOCKET: `unix://${spire.adminSocket}`, ...variables },
    clusterDomain: spire.trustDomain,
    processes: systemProcesses(),
  });
}

export function bySelectors(spire: RealSpire): SpireClient {
  return client(spire, { SPIRE_ATTESTATION: "selectors" });
}

export function account(
  name: string,
  workloadUid: string | null = null,
  trustDomain = "cluster.local",
): CertificateSubject {
  return { id: workloadId(trustDomain, "default", name)!, workloadUid };
}

/** Asked once. */
export async function refusalOf(from: SpireClient, subject: CertificateSubject): Promise<CertificateError> {
  const error = await from.get(subject).then(() => null, (reason) => reason);
  assert.ok(error instanceof CertificateError);
  return error;
}

/** A new agent refuses its delegates for a moment (`docs/spec/real-peers-spire.md`, trap 1). */
export function served(by: SpireClient, subject: CertificateSubject): Promise<IssuedCertificate> {
  const ask = () => by.get(subject).catch(() => null);
  return eventually(`a certificate for ${subject.id}`, ask, () => by.lines.join("\n"));
}
