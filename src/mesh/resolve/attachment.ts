/**
 * Whether a tunnel that ends at `localIp` may have another address as its target. Only a waypoint may: the target must
 * belong to a workload or service whose waypoint is this workload (`docs/spec/dataplane.md` 1.7 step 8).
 */
import type { Ip } from "../../net/address.ts";
import type { GatewayAddress, Workload } from "../model/model.ts";
import { type Asked, needsAddress, needsHostname, type NeedsLookup } from "./outcome.ts";
import { ServiceEntry } from "../state/service_entry.ts";
import type { Found, MeshState } from "../state/state.ts";

/** The request to be checked. */
interface AttachmentRequest {
  /** The workload at `localIp`. */
  readonly local: Workload;
  readonly localIp: Ip;
  readonly network: string;
  readonly asked: Asked;
  /** The target of the tunnel. */
  readonly ip: Ip;
}

/** True: `local` is a waypoint of the target. A lookup is returned only where the state does not decide. */
export function isAttached(state: MeshState, request: AttachmentRequest): boolean | NeedsLookup {
  const { network, ip, asked } = request;
  const found = state.findAddress(network, ip, null);
  if (found === null) return needsAddress(asked, network, ip) ?? false;
  let missing: NeedsLookup | null = null;
  for (const reference of waypointsOf(found)) {
    const waypoint = follow(state, reference);
    if (waypoint === null) missing ??= lookupFor(reference, asked);
    else if (isLocal(waypoint, request)) return true;
  }
  return missing ?? false;
}

/** The waypoints of a workload or service, including all weighted ones (`docs/spec/xds-state.md` 8.1 Q12). */
function waypointsOf(found: Found): readonly GatewayAddress[] {
  if (!(found instanceof ServiceEntry)) return found.waypoint === null ? [] : [found.waypoint];
  const weighted = found.service.weightedWaypoints.map((each) => each.destination);
  return found.service.waypoint === null ? weighted : [found.service.waypoint, ...weighted];
}

function follow(state: MeshState, reference: GatewayAddress): Found | null {
  return reference.kind === "address"
    ? state.findAddress(reference.network, reference.ip, null)
    : state.findHostname(reference.key);
}

function lookupFor(reference: GatewayAddress, asked: Asked): NeedsLookup | null {
  return reference.kind === "address"
    ? needsAddress(asked, reference.network, reference.ip)
    : needsHostname(asked, reference.key);
}

function isLocal(waypoint: Found, { local, localIp }: AttachmentRequest): boolean {
  if (waypoint instanceof ServiceEntry) return waypoint.endpoints.has(local.uid);
  return waypoint.workloadIps.includes(localIp);
}
