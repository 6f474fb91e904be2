/**
 * The connection that the client's proxy makes: decided like a real one, and followed to the workload that it reaches.
 */
import { ANY_V4, formatAddress, type Ip, type SocketAddress } from "../../net/address.ts";
import type { Random } from "../state/endpoint_pool.ts";
import { admissionOf, workloadSummary } from "./admission.ts";
import type { ExplainSettings, Hop, HopRefusal, HopRoute } from "./explanation.ts";
import type { Workload } from "../model/model.ts";
import {
  type OutboundOutcome,
  type OutboundRoute,
  refuseRecursiveOutbound,
  resolveOutbound,
} from "../resolve/outbound.ts";
import type { Reason, Trace } from "../model/reasons.ts";
import type { MeshState } from "../state/state.ts";
import { identityOf } from "../model/workload_identity.ts";

/** A client with a proxy. */
export interface Client {
  readonly workload: Workload;
  readonly ip: Ip;
}

/** A decision and, where the address has yet to be resolved, the host name. */
interface Decided {
  readonly outcome: OutboundRoute | HopRefusal;
  readonly hostname: string | null;
}

/** What the client's proxy decides. On-demand lookups are taken to find nothing. */
export function decide(
  state: MeshState,
  settings: ExplainSettings,
  client: Client,
  target: SocketAddress,
  random: Random,
  trace: Trace,
): Decided {
  const loop = refuseRecursiveOutbound(target, new Set(settings.ownPorts));
  if (loop !== null) return { outcome: loop, hostname: null };
  const asked = settings.onDemand ? new Set<string>() : null;
  for (;;) {
    const outcome = resolveOutbound(
      state,
      {
        source: client.workload,
        sourceIp: client.ip,
        target,
        network: settings.network,
        hbonePort: settings.hbonePort,
        asked,
        tried: null,
      },
      random,
      trace,
    );
    if (outcome.kind !== "needs-lookup") return settled(outcome);
    asked!.add(outcome.name);
    const text =
      `the control plane would be asked for ${outcome.name}; explained as if it knew no more than is known here`;
    trace?.push({ rule: "outbound.on-demand", subject: outcome.name, text });
  }
}

function settled(outcome: Exclude<OutboundOutcome, { kind: "needs-lookup" }>): Decided {
  if (outcome.kind !== "needs-dns") return { outcome, hostname: null };
  return { outcome: outcome.complete(ANY_V4), hostname: outcome.hostname };
}

/** The connection that `decided` leads to, with what happens at its other end. */
export function hopOf(
  state: MeshState,
  settings: ExplainSettings,
  client: Client,
  { outcome, hostname }: Decided,
  because: readonly Reason[],
): Hop {
  if (outcome.kind === "refusal") {
    const { code, message } = outcome;
    return { by: "proxy", because, outcome: { kind: "refusal", code, message }, admission: null };
  }
  const obstacle = obstacleTo(outcome, client);
  if (obstacle !== null) return { by: "proxy", because, outcome: obstacle, admission: null };
  const route = routeOf(outcome, hostname, client);
  const { destination, leadsTo } = outcome;
  // Other proxies decide behind a gateway; the gateway itself admits every HBONE connection.
  if (destination === null || leadsTo === "gateway") return { by: "proxy", because, outcome: route, admission: null };
  const mutualTls = outcome.protocol !== "TCP";
  const admission = admissionOf(state, settings, {
    workload: destination,
    from: { ip: client.ip, port: 0 },
    identity: mutualTls ? identityOf(client.workload) : null,
    at: outcome.actual,
    authority: outcome.authority,
    host: outcome.service?.hostname ?? null,
  });
  return { by: "proxy", because, outcome: route, admission };
}

/** Why the proxy cannot open the tunnel although the route is clear. */
function obstacleTo(route: OutboundRoute, { workload }: Client): HopRefusal | null {
  if (route.protocol === "TCP") return null;
  if (identityOf(workload) === null) {
    return { kind: "refusal", code: "NO_IDENTITY", message: `identity error: ${workload.uid} has no valid identity` };
  }
  const behind = route.protocol === "DOUBLEHBONE" && route.finalIdentities.length === 0;
  if (route.nextHopIdentities.length > 0 && !behind) return null;
  const uid = route.destination?.uid;
  const message = behind
    ? `no identity is acceptable behind ${uid}: ${route.service?.key} (or its waypoint) has no subject alternative names, ` +
      "which istiod has to supply"
    : `no identity is acceptable at ${uid}: neither the service nor the workload has a valid one`;
  return { kind: "refusal", code: "NOBODY_EXPECTED", message };
}

function routeOf(route: OutboundRoute, hostname: string | null, client: Client): HopRoute {
  const { protocol, leadsTo, actual, authority, destination, service } = route;
  return {
    kind: "route",
    protocol,
    dial: hostname === null ? formatAddress(actual) : `${hostname}:${actual.port}`,
    authority,
    destination: destination === null ? null : workloadSummary(destination),
    service: service?.key ?? null,
    shows: protocol === "TCP" ? null : identityOf(client.workload),
    expects: protocol === "TCP" ? [] : route.nextHopIdentities,
    expectsBehind: route.finalIdentities,
    leadsTo,
  };
}
