/** The CONNECTs of outbound connections (`docs/spec/dataplane.md` 1.5, 1.6, 2.4). */
import { connectHeaders } from "../hbone/connect_headers.ts";
import type { NestedRequest, TunnelRequest } from "../hbone/tunnel_request.ts";
import type { SpiffeId } from "../identity/spiffe_id.ts";
import { baggageOf } from "../mesh/headers/baggage.ts";
import { formatForwarded } from "../mesh/headers/forwarded.ts";
import type { Workload } from "../mesh/model/model.ts";
import type { OutboundRoute } from "../mesh/resolve/outbound.ts";
import type { SocketAddress } from "../net/address.ts";
import type { Millis } from "../net/clock.ts";
import type { ProxySettings } from "./pod_context.ts";

/** An outbound connection by HBONE. */
interface OutboundCall {
  readonly route: OutboundRoute;
  readonly local: Workload;
  readonly identity: SpiffeId;
  /** The client's address. */
  readonly source: SocketAddress;
  /** `traceparent`, the same for both CONNECTs of double HBONE. */
  readonly trace: string;
  readonly connectTimeout: Millis | null;
  readonly hasAlternatives: boolean;
}

/** The CONNECT to the next hop. */
export function tunnelRequest({ trustDomains }: ProxySettings, call: OutboundCall): TunnelRequest {
  const { route, identity, source, connectTimeout, hasAlternatives } = call;
  return {
    source: identity,
    sourceIp: source.ip,
    destination: route.destination?.uid ?? "",
    peer: { address: route.actual, expected: trustDomains.expand(route.nextHopIdentities) },
    headers: headersOf(call),
    connectTimeout,
    hasAlternatives,
  };
}

/** Both CONNECTs of double HBONE. Only the inner one has `x-forwarded-network` (`docs/spec/xds-state.md` X209). */
export function nestedRequest(settings: ProxySettings, call: OutboundCall): NestedRequest {
  const { finalIdentities, service, authority } = call.route;
  return {
    outer: tunnelRequest(settings, call),
    expected: settings.trustDomains.expand(finalIdentities),
    headers: headersOf(call, settings.network),
    service: service?.hostname ?? authority!,
  };
}

function headersOf({ route, local, source, trace }: OutboundCall, network?: string) {
  return connectHeaders({
    authority: route.authority!,
    baggage: baggageOf(local),
    forwarded: formatForwarded(source, route.service?.hostname ?? null),
    traceparent: trace,
    ...(network === undefined ? {} : { network }),
  });
}
