/** What policies see of a recorded connection. */
import type { Call } from "../policy/authorize.ts";
import { callOf } from "../explain/admission.ts";
import type { ExplainSettings } from "../explain/explanation.ts";
import type { SocketAddress } from "../../net/address.ts";
import { identityOf, parseSpiffeId, type SpiffeId } from "../model/workload_identity.ts";
import type { MeshState } from "../state/state.ts";
import type { FlowParts } from "../../telemetry/flow.ts";

/** A connection into a workload, open or ended. */
export interface RecordedCall {
  /** Null: the mesh does not have its workload any more, or it never led to one. */
  readonly call: Call | null;
  /** `namespace/name` of the client's workload. */
  readonly source: string | null;
  readonly id: string | null;
}

/** Null for outbound connections: the proxy at their other end decides about them. */
export function recordedFlow(state: MeshState, settings: ExplainSettings, flow: FlowParts): RecordedCall | null {
  if (flow.direction === "outbound") return null;
  const { workload = null, namespace = null } = flow.sides?.source.log ?? {};
  return {
    call: callOfFlow(state, settings, flow),
    source: workload === null ? null : `${namespace}/${workload}`,
    id: flow.id,
  };
}

function callOfFlow(state: MeshState, settings: ExplainSettings, flow: FlowParts): Call | null {
  const { source, destination, target, isHbone, mutualTls, sides } = flow;
  const workload = state.workloadByAddress(settings.network, destination.ip);
  if (workload === null) return null;
  const identity = mutualTls ? sides?.source.log.identity ?? null : null;
  const found = callOf(state, settings, {
    workload,
    from: source,
    identity: identity === null ? null : parseSpiffeId(identity),
    at: destination,
    authority: isHbone && typeof target === "string" ? target : null,
    host: null,
  });
  return found.kind === "call" ? found.call : null;
}

/** An open connection of a config dump. */
export interface DumpedCall {
  readonly from: SocketAddress;
  /** Where the application takes it. */
  readonly to: SocketAddress;
  /** Its client has proven an identity. */
  readonly isHbone: boolean;
  /** Null: none, or the dump does not say. */
  readonly identity: SpiffeId | null;
}

/** Where the dump does not name the client's identity, it is that of the workload with the address. */
export function recordedDump(state: MeshState, { network }: ExplainSettings, dumped: DumpedCall): RecordedCall {
  const { from, to, isHbone } = dumped;
  const client = state.workloadByAddress(network, from.ip);
  const destination = state.workloadByAddress(network, to.ip);
  const identity = dumped.identity ?? (isHbone && client !== null ? identityOf(client) : null);
  const isKnown = destination !== null && (!isHbone || identity !== null);
  return {
    call: isKnown ? { destination, source: from, identity, target: to } : null,
    source: client === null ? null : `${client.namespace}/${client.name}`,
    id: null,
  };
}
