/**
 * Selects the endpoints of a service that one kind of client may use.
 *
 * Building a pool visits every endpoint. The caller caches it until the service or one of its workloads changes, so
 * that a connection costs one binary search.
 */
import { localityRank } from "./locality.ts";
import type { Endpoint, Service, Workload, WorkloadUid } from "../model/model.ts";
import { PoolReport } from "./pool_report.ts";
import type { Trace } from "../model/reasons.ts";
import { EndpointPool, type Member } from "../state/endpoint_pool.ts";
import type { ServiceEntry } from "../state/service_entry.ts";
import { Upstream } from "../model/upstream.ts";

/** "standard": user traffic and gateways. "waypoint": a waypoint, whose service may lack the port. */
export type ResolutionMode = "standard" | "waypoint";

/**
 * The pool for clients like `source` that connect to `port`. `find` gives workloads by uid. `trace` gets the reasons
 * why endpoints are left out.
 */
export function buildPool(
  entry: ServiceEntry,
  find: (uid: WorkloadUid) => Workload | null,
  source: Workload,
  port: number,
  mode: ResolutionMode,
  trace: Trace,
): EndpointPool {
  const { service } = entry;
  const balancer = service.loadBalancer;
  const ranked = balancer !== null && balancer.mode !== "Standard";
  const report = trace === null ? null : new PoolReport(trace);
  let members: Member[] = [];
  let best = 0;
  for (const endpoint of entry.endpoints.values()) {
    const workload = find(endpoint.workloadUid);
    const obstacle = workload === null
      ? "its workload is not known"
      : obstacleTo(service, endpoint, workload, source, port, mode);
    const rank = workload === null || obstacle !== null ? null : ranked ? localityRank(balancer, source, workload) : 0;
    if (workload === null || rank === null) {
      report?.leftOut(endpoint.workloadUid, obstacle ?? "not near enough for a strict service");
      continue;
    }
    report?.ranked(endpoint.workloadUid, rank, workload.capacity);
    if (rank > best) members = [];
    if (rank >= best) {
      members.push({ capacity: workload.capacity, upstream: upstreamOf(service, endpoint, workload, port) });
    }
    best = Math.max(best, rank);
  }
  report?.end(best, balancer?.routingPreferences ?? []);
  return new EndpointPool(members);
}

/** Why the endpoint cannot be used, or null where it can (`docs/spec/xds-state.md` 4.4). */
function obstacleTo(
  service: Service,
  endpoint: Endpoint,
  workload: Workload,
  source: Workload,
  port: number,
  mode: ResolutionMode,
): string | null {
  const addressable = workload.workloadIps.length > 0 || workload.hostname !== "";
  if (!addressable && (workload.network === source.network || workload.networkGateway === null)) {
    return "it has no address and is not behind a network gateway";
  }
  const target = service.ports.get(port);
  if (mode === "standard" && target === 0 && !endpoint.ports.has(port)) {
    return `it has no port of the name that service port ${port} has`;
  }
  if (mode === "waypoint" && target === undefined && workload.applicationTunnel === null) {
    return `the service has no port ${port} and the workload no application tunnel`;
  }
  return null;
}

/** The endpoint with its target port, or null where it has none (`docs/spec/xds-state.md` 4.7). */
function upstreamOf(service: Service, endpoint: Endpoint, workload: Workload, port: number): Upstream | null {
  const target = endpoint.ports.get(port) ?? service.ports.get(port) ?? 0;
  if (target > 0 || endpoint.ports.has(port)) return new Upstream(workload, target, service);
  return workload.applicationTunnel?.port != null ? new Upstream(workload, port, service) : null;
}
