/** The two sides of an outbound connection, for log and metrics (`docs/spec/dataplane.md` 7.3). */
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

/** What the record of a connection begins with. `identity`: that of `local`; `source`: the client's address. */
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
 * The far end of double HBONE by the baggage of its 200 and by the identity that it has proven. Null where there is no
 * valid baggage: then the record names the gateway (`docs/spec/dataplane.md` 1.6 step 8).
 */
export function destinationAsSaid(answer: HeaderList, identity: SpiffeId | null): DerivedPeer | null {
  const baggage = parseBaggage(headerValues(answer, "baggage"));
  return baggage === NO_BAGGAGE ? null : derivedPeer(identity, baggage);
}
