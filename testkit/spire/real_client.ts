/** Clients of a real SPIRE agent. */
import { strict as assert } from "node:assert";
import { systemProcesses } from "../../src/authorities/spire/process_table.ts";
import type { Variables } from "../../src/config/environment.ts";
import { CertificateError, type CertificateSubject, type IssuedCertificate } from "../../src/identity/authority.ts";
import { workloadId } from "../../src/identity/spiffe_id.ts";
import { eventually } from "../../lab/eventually.ts";
import { SpireClient } from "./client.ts";
import type { RealSpire } from "./real.ts";

/** Returns a client that attests by process unless `variables` say otherwise. */
export function client(spire: RealSpire, variables: Variables = {}): SpireClient {
  return new SpireClient({
    variables: { SPIRE_ENABLED: "true", SPIRE_ADMIN_ENDPOINT_SOCKET: `unix://${spire.adminSocket}`, ...variables },
    clusterDomain: spire.trustDomain,
    processes: systemProcesses(),
  });
}

/** Returns a client that names subjects by selectors. */
export function bySelectors(spire: RealSpire): SpireClient {
  return client(spire, { SPIRE_ATTESTATION: "selectors" });
}

/** Returns the subject of service account `name`. */
export function account(
  name: string,
  workloadUid: string | null = null,
  trustDomain = "cluster.local",
): CertificateSubject {
  return { id: workloadId(trustDomain, "default", name)!, workloadUid };
}

/** Returns the error of one request. */
export async function refusalOf(from: SpireClient, subject: CertificateSubject): Promise<CertificateError> {
  const error = await from.get(subject).then(() => null, (reason) => reason);
  assert.ok(error instanceof CertificateError);
  return error;
}

/** Retries a request until it succeeds, as a new agent refuses its delegates at first (`real-peers-spire.md`, trap 1). */
export function served(by: SpireClient, subject: CertificateSubject): Promise<IssuedCertificate> {
  const attempt = () => by.get(subject).catch(() => null);
  return eventually(`a certificate for ${subject.id}`, attempt, () => by.lines.join("\n"));
}
