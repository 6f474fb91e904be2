/**
 * A connection as OpenTelemetry attributes, the same for its log record and its span (`docs/otlp.md`). Names of the
 * semantic conventions where there is one, else below `istio.` and `ztunnel.`.
 */
import type { Flow } from "../telemetry/flow.ts";

/** Values of one record. Absent: not known. */
type FlowAttributes = Record<string, string | number | string[]>;

/** The attributes of a connection that has ended. */
export function attributesOf(flow: Flow): FlowAttributes {
  const { source, destination, tls, ending, times, decision } = flow;
  return present({
    "network.transport": "tcp",
    "network.protocol.name": flow.protocol.toLowerCase(),
    ...partyOf("source", source),
    ...partyOf("destination", destination),
    "istio.direction": flow.direction,
    "istio.destination.service": flow.service,
    "istio.response_flags": flow.flag === "-" ? null : flow.flag,
    "tls.protocol.version": tls === null ? null : tls.version.replace(/^TLSv/, ""),
    "tls.curve": tls === null || tls.group === "" ? null : tls.group,
    "ztunnel.target": flow.target,
    "ztunnel.verdict": flow.verdict,
    "ztunnel.decision.id": decision,
    "ztunnel.dry_runs": flow.dryRuns.length === 0 ? null : flow.dryRuns.map(({ id, text }) => `${id} ${text}`),
    "ztunnel.ended.by": ending?.by,
    "ztunnel.ended.how": ending?.how,
    "ztunnel.ended.phase": ending?.phase,
    "ztunnel.hbone.connection": flow.carrier,
    "ztunnel.attempt": flow.attempt === 0 ? null : flow.attempt,
    "ztunnel.bytes_sent": flow.bytesSent,
    "ztunnel.bytes_received": flow.bytesReceived,
    "ztunnel.duration_ms": flow.age,
    "ztunnel.time.resolved_ms": times.resolved,
    "ztunnel.time.authorized_ms": times.authorized,
    "ztunnel.time.connected_ms": times.connected,
    "ztunnel.time.handshaken_ms": times.handshaken,
    "ztunnel.time.answered_ms": times.answered,
    "ztunnel.time.client_byte_ms": times.clientByte,
    "ztunnel.time.server_byte_ms": times.serverByte,
    "error.message": flow.error,
  });
}

function partyOf(side: "source" | "destination", { address, workload, namespace, identity }: Flow["source"]) {
  const colon = address.lastIndexOf(":");
  return {
    [`${side}.address`]: address.slice(0, colon).replace(/^\[(.*)\]$/, "$1"),
    [`${side}.port`]: Number(address.slice(colon + 1)),
    [`istio.${side}.workload`]: workload,
    [`istio.${side}.namespace`]: namespace,
    [`istio.${side}.principal`]: identity,
  };
}

function present(all: Readonly<Record<string, FlowAttributes[string] | null | undefined>>): FlowAttributes {
  const found: FlowAttributes = {};
  for (const [name, value] of Object.entries(all)) if (value !== null && value !== undefined) found[name] = value;
  return found;
}
