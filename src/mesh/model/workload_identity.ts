/**
 * The identity of a workload, and which identities a peer may present. The only file of this room that uses SPIFFE ids.
 */
import { parseSpiffeId, type SpiffeId, workloadId } from "../../identity/spiffe_id.ts";
import type { Service, Workload } from "./model.ts";

export { parseSpiffeId };
export type { SpiffeId };

const NONE: readonly SpiffeId[] = Object.freeze([]);

/** Each is derived once per value. Values never change; the entry is collected together with its value. */
const identities = new WeakMap<Workload, SpiffeId | null>();
const accepted = new WeakMap<Service, readonly SpiffeId[]>();

/**
 * The workload's SPIFFE id, or null where its parts make no valid id (a static file without a trust domain, for
 * example).
 */
export function identityOf(workload: Workload): SpiffeId | null {
  let identity = identities.get(workload);
  if (identity === undefined) {
    identity = workloadId(workload.trustDomain, workload.namespace, workload.serviceAccount);
    identities.set(workload, identity);
  }
  return identity;
}

/** The service's alternative names that are SPIFFE ids. */
export function serviceIdentities(service: Service | null): readonly SpiffeId[] {
  if (service === null || service.subjectAltNames.length === 0) return NONE;
  let ids = accepted.get(service);
  if (ids === undefined) {
    ids = service.subjectAltNames.map(parseSpiffeId).filter((id) => id !== null);
    accepted.set(service, ids);
  }
  return ids;
}

/** Names of `service` that {@link serviceIdentities} leaves out. The code that inserts the service logs them. */
export function invalidAltNames(service: Service): readonly string[] {
  return service.subjectAltNames.filter((name) => parseSpiffeId(name) === null);
}

/** Identities to accept from a workload reached through `service`: the service's names, then the workload's own id. */
export function expectedIdentities(service: Service | null, workload: Workload): readonly SpiffeId[] {
  const names = serviceIdentities(service);
  const own = identityOf(workload);
  return own === null ? names : names.length === 0 ? [own] : [...names, own];
}
