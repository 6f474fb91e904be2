/**
 * Converts the two ends of a connection into labels. Labels are cached together with the values they are made from, so
 * a connection between known workloads costs a few lookups.
 */
import { label } from "./label_text.ts";
import {
  type DerivedPeer,
  destinationPeer,
  sourcePeer,
  type TrafficPeer,
  type TrafficWorkload,
} from "./traffic_peer.ts";

/** The fields of a service that labels need. The mesh's `Service` has them. */
export interface TrafficService {
  readonly hostname: string;
  readonly namespace: string;
  readonly name: string;
}

/** The two ends of a connection. The last table of `docs/spec/dataplane.md` 7.3 says which fields each path sets. */
export interface TrafficParties {
  /** `source`: outbound and SOCKS5. `destination`: inbound and passthrough. */
  readonly reporter: "source" | "destination";
  readonly source: TrafficWorkload | null;
  /** The source's certificate and baggage. For outbound HBONE: our own identity. */
  readonly derivedSource: DerivedPeer | null;
  readonly destination: TrafficWorkload | null;
  /** Double HBONE only: the baggage of the inner response. */
  readonly derivedDestination: DerivedPeer | null;
  readonly service: TrafficService | null;
  readonly mutualTls: boolean;
}

/** The two sides as labels. Equal sides are the same object, as long as they are cached. */
export interface TrafficSides {
  readonly source: TrafficPeer;
  readonly destination: TrafficPeer;
  /** Labels 10 to 12 (`docs/spec/dataplane.md` 7.3). */
  readonly service: string;
}

/** Identities cached per workload; a workload normally has one. */
const IDENTITIES_MAX = 4;

/** Makes and caches labels. */
export class TrafficLabels {
  readonly #sources = new WeakMap<TrafficWorkload, Map<string, TrafficPeer>>();
  readonly #destinations = new WeakMap<TrafficWorkload, TrafficPeer>();
  readonly #services = new WeakMap<TrafficService, string>();
  readonly #derivedSources = new WeakMap<DerivedPeer, TrafficPeer>();
  readonly #unknownSource = sourcePeer(null, null);
  readonly #unknownDestination = destinationPeer(null, null);
  readonly #noService = serviceLabels(null);

  /** The labels of a connection. */
  sides(parties: TrafficParties): TrafficSides {
    return {
      source: this.#source(parties.source, parties.derivedSource),
      destination: this.#destination(parties.destination, parties.derivedDestination),
      service: this.#service(parties.service),
    };
  }

  #source(workload: TrafficWorkload | null, derived: DerivedPeer | null): TrafficPeer {
    if (workload === null) {
      return derived === null
        ? this.#unknownSource
        : cached(this.#derivedSources, derived, () => sourcePeer(null, derived));
    }
    const byIdentity = cached(this.#sources, workload, () => new Map<string, TrafficPeer>());
    const identity = derived?.identity ?? "";
    let peer = byIdentity.get(identity);
    if (peer === undefined) {
      peer = sourcePeer(workload, derived);
      if (byIdentity.size < IDENTITIES_MAX) byIdentity.set(identity, peer);
    }
    return peer;
  }

  #destination(workload: TrafficWorkload | null, derived: DerivedPeer | null): TrafficPeer {
    if (derived !== null) return destinationPeer(workload, derived);
    if (workload === null) return this.#unknownDestination;
    return cached(this.#destinations, workload, () => destinationPeer(workload, null));
  }

  #service(service: TrafficService | null): string {
    return service === null ? this.#noService : cached(this.#services, service, () => serviceLabels(service));
  }
}

function cached<K extends WeakKey, V>(cache: WeakMap<K, V>, key: K, make: () => V): V {
  let value = cache.get(key);
  if (value === undefined) {
    value = make();
    cache.set(key, value);
  }
  return value;
}

function serviceLabels(service: TrafficService | null): string {
  return [
    label("destination_service", service?.hostname),
    label("destination_service_namespace", service?.namespace),
    label("destination_service_name", service?.name),
  ].join(",");
}
