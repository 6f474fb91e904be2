/**
 * From the two ends of a connection to its ready-made sides. Sides are remembered beside the values they were made
 * from, so a connection between known workloads costs a few look-ups; they are forgotten together with those values.
 */
import { label } from "./label_text.ts";
import {
  type DerivedPeer,
  destinationPeer,
  sourcePeer,
  type TrafficPeer,
  type TrafficWorkload,
} from "./traffic_peer.ts";

/** What is needed of a service. The mesh's `Service` is one. */
export interface TrafficService {
  readonly hostname: string;
  readonly namespace: string;
  readonly name: string;
}

/** Who talks to whom. Which fields a path fills in: `docs/spec/dataplane.md` 7.3, last table. */
export interface TrafficParties {
  /** `source`: outbound and SOCKS5. `destination`: inbound and passthrough. */
  readonly reporter: "source" | "destination";
  readonly source: TrafficWorkload | null;
  /** The source's certificate and baggage. For outbound HBONE: our own identity. */
  readonly derivedSource: DerivedPeer | null;
  readonly destination: TrafficWorkload | null;
  /** Double HBONE only: what the inner side said. */
  readonly derivedDestination: DerivedPeer | null;
  readonly service: TrafficService | null;
  readonly mutualTls: boolean;
}

/** The parties' sides, ready for labels and log. The same object for the same side, as far as it is remembered. */
export interface TrafficSides {
  readonly source: TrafficPeer;
  readonly destination: TrafficPeer;
  /** Labels 10 to 12. */
  readonly service: string;
}

/** A workload is seen with few identities; more than this are made anew. */
const IDENTITIES_MAX = 4;

export class TrafficLabels {
  readonly #sources = new WeakMap<TrafficWorkload, Map<string, TrafficPeer>>();
  readonly #destinations = new WeakMap<TrafficWorkload, TrafficPeer>();
  readonly #services = new WeakMap<TrafficService, string>();
  readonly #derivedSources = new WeakMap<DerivedPeer, TrafficPeer>();
  readonly #unknownSource = sourcePeer(null, null);
  readonly #unknownDestination = destinationPeer(null, null);
  readonly #noService = serviceLabels(null);

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
        : remember(this.#derivedSources, derived, () => sourcePeer(null, derived));
    }
    const byIdentity = remember(this.#sources, workload, () => new Map<string, TrafficPeer>());
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
    return remember(this.#destinations, workload, () => destinationPeer(workload, null));
  }

  #service(service: TrafficService | null): string {
    return service === null ? this.#noService : remember(this.#services, service, () => serviceLabels(service));
  }
}

function remember<K extends WeakKey, V>(memory: WeakMap<K, V>, key: K, make: () => V): V {
  let value = memory.get(key);
  if (value === undefined) {
    value = make();
    memory.set(key, value);
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
