/** Selects and opens the certificate authority that the configuration names. */
import { openIstio } from "../../authorities/istio/open_istio.ts";
import type { FindPod } from "../../authorities/spire/local_pods.ts";
import type { SpireSurroundings } from "../../authorities/spire/open_spire.ts";
import type { Config } from "../../config/config.ts";
import type { CertificateAuthority } from "../../identity/authority.ts";
import { LocalAuthority } from "../../identity/local_authority.ts";
import { createLocalCa, loadOrCreateLocalCa } from "../../identity/local_ca.ts";
import type { WriteLine } from "../../identity/manager_events.ts";
import { type SpiffeId, workloadId } from "../../identity/spiffe_id.ts";
import { SYSTEM_CLOCK } from "../../net/clock.ts";

type AuthorityKind = "local" | "istio" | "spire";

/** Log scopes of the native proxy. */
const SCOPES: Readonly<Record<AuthorityKind, string>> = {
  local: "ztunnel::identity::caclient",
  istio: "ztunnel::identity::caclient",
  spire: "ztunnel::identity::spireclient",
};

/** Which authority is used, by the order of `docs/spec/identity-spire.md` 3.2. "spire": its agent, or a broker. */
export function authorityKind({ ca, spire }: Config): AuthorityKind {
  if (ca.fake) return "local";
  return spire.enabled || spire.broker !== null ? "spire" : "istio";
}

/** The log scope of the authority that the configuration names. */
export function authorityScope(config: Config): string {
  return SCOPES[authorityKind(config)];
}

/**
 * Opens the authority that the configuration names. `findPod`: a pod of this node by its uid. Rejects where a setting
 * cannot be used. The SPIRE client is loaded only where it is used: it takes 1 MB.
 */
export async function makeAuthority(config: Config, log: WriteLine, findPod: FindPod): Promise<CertificateAuthority> {
  const { spire, node } = config;
  const kind = authorityKind(config);
  if (kind === "local") return localAuthority(config);
  if (kind === "istio") return openIstio(config, SYSTEM_CLOCK, log);
  const { systemProcesses } = await import("../../authorities/spire/process_table.ts");
  const around: SpireSurroundings = {
    clock: SYSTEM_CLOCK,
    random: Math.random,
    log,
    findPod,
    processes: systemProcesses(),
    own: selfIdentity(config),
  };
  if (spire.broker === null) {
    const { openSpire } = await import("../../authorities/spire/open_spire.ts");
    return openSpire(spire, node.clusterDomain, around);
  }
  const { openBroker } = await import("../../authorities/broker/open_broker.ts");
  return openBroker(spire, spire.broker, node.clusterDomain, around);
}

/** The id whose certificate shows that the authority works. Null: it is not known, or the authority cannot fail. */
export function ownIdentity(config: Config): SpiffeId | null {
  return config.mode === "dedicated" || config.ca.fake ? null : selfIdentity(config);
}

/** Null: the id is not known. */
function selfIdentity({ node: { self, trustDomain } }: Config): SpiffeId | null {
  return self === null ? null : workloadId(trustDomain, self.namespace, self.serviceAccount);
}

function localAuthority(config: Config): CertificateAuthority {
  const { localFiles, secretTtl } = config.ca;
  const ca = localFiles === null
    ? createLocalCa(Date.now())
    : loadOrCreateLocalCa(localFiles.certificate, localFiles.key, Date.now());
  return new LocalAuthority({ ca, now: Date.now, lifetime: secretTtl });
}
