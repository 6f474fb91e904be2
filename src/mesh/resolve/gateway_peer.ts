/** Whether a peer is the east-west gateway of a workload's network (`docs/spec/xds-state.md` 4.10). */
import type { Ip } from "../../net/address.ts";
import type { Workload } from "../model/model.ts";
import { ServiceEntry } from "../state/service_entry.ts";
import type { MeshState } from "../state/state.ts";
import { identityOf, type SpiffeId } from "../model/workload_identity.ts";

/** A peer. `ip`: source address of its TCP connection. `identity`: verified. */
interface Peer {
  readonly ip: Ip;
  readonly identity: SpiffeId;
}

/**
 * True when the peer is the gateway through which other networks reach `local`: it has the gateway's
 * identity, or its connection comes from the gateway's address (a gateway forwards the inner TLS connection of double
 * HBONE, whose identity is that of the client in the other network).
 */
export function isGatewayOf(state: MeshState, local: Workload, peer: Peer): boolean {
  const reference = local.networkGateway;
  if (reference === null) return false;
  if (reference.kind === "address" && reference.ip === peer.ip) return true;
  const found = reference.kind === "address"
    ? state.findAddress(reference.network, reference.ip, null)
    : state.findHostname(reference.key);
  if (!(found instanceof ServiceEntry)) return found !== null && isWorkload(found, peer);
  for (const uid of found.endpoints.keys()) {
    const workload = state.workload(uid);
    if (workload !== null && isWorkload(workload, peer)) return true;
  }
  return false;
}

function isWorkload(workload: Workload, { ip, identity }: Peer): boolean {
  return workload.workloadIps.includes(ip) || identityOf(workload) === identity;
}
