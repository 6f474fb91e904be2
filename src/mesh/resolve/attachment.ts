/**
 * May a tunnel that ends at `localIp` be for another address? Only for a waypoint: the address must belong to
 * something whose waypoint is this workload (`docs/spec/dataplane.md` 1.7 step 8).
 */
import type { Ip } from "../../net/address.ts";
import type { GatewayAddress, Workload } from "../model/model.ts";
import { type Asked, needsAddress, needsHostname, type NeedsLookup } from "./outcome.ts";
import { ServiceEntry } from "../state/service_entry.ts";
import type { Found, MeshState } from "../state/state.ts";

export interface AttachmentQuestion {
  /** The workload at `localIp`. */
  readonly local: Workload;
  readonly localIp: Ip;
  readonly network: string;
  /** The address that was asked for. */
  readonly asked: Asked;
  readonly ip: Ip;
}

/** True: attached. A lookup is wanted only where nothing that is known decides. */
export function isAttached(state: MeshState, question: AttachmentQuestion): boolean | NeedsLookup {
  const { network, ip, asked } = question;
  const found = state.findAddress(network, ip, null);
  if (found === null) return needsAddress(asked, network, ip) ?? false;
  let missing: NeedsLookup | null = null;
  for (const reference of waypointsOf(found)) {
    const waypoint = follow(state, reference);
    if (waypoint === null) missing ??= lookupFor(reference, asked);
    else if (isLocal(waypoint, question)) return true;
  }
  return missing ?? false;
}

/** Any of the weighted ones counts as well (`docs/spec/xds-state.md` 8.1 Q12). */
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

function isLocal(waypoint: Found, { local, localIp }: AttachmentQuestion): boolean {
  if (waypoint instanceof ServiceEntry) return waypoint.endpoints.has(local.uid);
  return waypoint.workloadIps.includes(localIp);
}
