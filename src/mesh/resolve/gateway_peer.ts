/** Whether a caller comes through the east-west gateway of a workload's network (`docs/spec/xds-state.md` 4.10). */
import type { Ip } from "../../net/address.ts";
import type { Workload } from "../model/model.ts";
import { ServiceEntry } from "../state/service_entry.ts";
import type { MeshState } from "../state/state.ts";
import { identityOf, type SpiffeId } from "../model/workload_identity.ts";

/** `ip`: source of its TCP connection. `identity`: verified. */
export interface Caller {
  readonly ip: Ip;
  readonly identity: SpiffeId;
}

/**
 * True when the mesh names the caller as the gateway by which other networks reach `local`: it has the gateway's
 * identity, or its connection comes from the gateway's address (a gateway forwards the inner TLS of double HBONE, whose
 * identity is that of the client in the other network).
 */
export function isGatewayOf(state: MeshState, local: Workload, caller: Caller): boolean {
  const reference = local.networkGateway;
  if (reference === null) return false;
  if (reference.kind === "address" && reference.ip === caller.ip) return true;
  const found = reference.kind === "address"
    ? state.findAddress(reference.network, reference.ip, null)
    : state.findHostname(reference.key);
  if (!(found instanceof ServiceEntry)) return found !== null && isWorkload(found, caller);
  for (const uid of found.endpoints.keys()) {
    const workload = state.workload(uid);
    if (workload !== null && isWorkload(workload, caller)) return true;
  }
  return false;
}

function isWorkload(workload: Workload, { ip, identity }: Caller): boolean {
  return workload.workloadIps.includes(ip) || identityOf(workload) === identity;
}
