/** What debug lines say about the route of an outbound connection (`docs/spec/config-admin.md` 6.8). */
import type { OpeningPhase } from "../hbone/opening_tunnel.ts";
import type { OutboundRoute } from "../mesh/resolve/outbound.ts";
import { formatAddress } from "../net/address.ts";
import { bare } from "../telemetry/log_fields.ts";
import type { LogScope } from "../telemetry/log.ts";

/** As the native proxy logs where a route leads, behind "built request". */
const TEXTS: Readonly<Record<OutboundRoute["leadsTo"], string>> = {
  destination: "to workload",
  waypoint: "to waypoint proxy",
  gateway: "to a destination on another network through an e/w gateway",
  outside: "as passthrough",
};

/** Logs where the connection is led. */
export function logRoute(log: LogScope, route: OutboundRoute): void {
  const { leadsTo, service, actual, protocol, authority } = route;
  const fields = { protocol, actual: bare(formatAddress(actual)), hbone: authority, service: service?.hostname };
  log.debug(`built request ${TEXTS[leadsTo]}`, fields);
}

/** Logs whether the pool has a connection for the request. `phase`: right after the request. */
export function logPlaced(log: LogScope, { actual }: OutboundRoute, phase: OpeningPhase): void {
  const text = phase === "requesting" ? "re-using connection for" : "waiting for a connection for";
  log.as("ztunnel::proxy::pool").debug(`${text} ${formatAddress(actual)}`);
}
