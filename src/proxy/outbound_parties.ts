/** Who talks to whom in an outbound connection, for log and metrics (`docs/spec/dataplane.md` 7.3). */
import type { HeaderList } from "../h2/seam.ts";
import { headerValues } from "../hbone/connect_headers.ts";
import type { SpiffeId } from "../identity/spiffe_id.ts";
import { NO_BAGGAGE, parseBaggage } from "../mesh/headers/baggage.ts";
import type { Workload } from "../mesh/model/model.ts";
import type { OutboundRoute } from "../mesh/resolve/outbound.ts";
import type { SocketAddress } from "../net/address.ts";
import type { ConnectionStart } from "../telemetry/connection_telemetry.ts";
import type { DerivedPeer } from "../telemetry/traffic_peer.ts";
import { derivedPeer } from "./derived_peer.ts";

/** As the mesh knows it. `identity`: what the client's side shows; `source`: the client's address. */
export function outboundStart(
  route: OutboundRoute,
  local: Workload,
  identity: SpiffeId | null,
  source: SocketAddress,
): ConnectionStart {
  const mutualTls = route.protocol !== "TCP";
  return {
    reporter: "source",
    source: local,
    derivedSource: mutualTls ? { identity } : null,
    destination: route.destination,
    derivedDestination: null,
    service: route.service,
    mutualTls,
    sourceAddress: source,
    destinationAddress: route.actual,
    hboneTarget: route.authority,
  };
}

/**
 * What the far end of double HBONE says about itself in its 200, with the identity it has proven. Null where it says
 * nothing that can be read: the gateway is then all that is known (`docs/spec/dataplane.md` 1.6 step 8).
 */
export function destinationAsSaid(answer: HeaderList, identity: SpiffeId | null): DerivedPeer | null {
  const baggage = parseBaggage(headerValues(answer, "baggage"));
  return baggage === NO_BAGGAGE ? null : derivedPeer(identity, baggage);
}
