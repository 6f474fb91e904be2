/** A peer's statements about itself, for log and metrics (`docs/spec/dataplane.md` 7.3). */
import type { SpiffeId } from "../identity/spiffe_id.ts";
import type { Baggage } from "../mesh/headers/baggage.ts";
import type { DerivedPeer } from "../telemetry/traffic_peer.ts";

/** A peer by its baggage. `identity`: that of its certificate. */
export function derivedPeer(identity: SpiffeId | null, baggage: Baggage): DerivedPeer {
  return {
    identity,
    workloadName: baggage.workloadName,
    serviceName: baggage.canonicalName,
    serviceVersion: baggage.canonicalRevision,
    namespace: baggage.namespace,
    clusterId: baggage.clusterId,
    region: baggage.region,
    zone: baggage.zone,
  };
}
