/**
 * Selects the endpoints of a service that one kind of client may use.
 *
 * Building a pool visits every endpoint. The caller caches it until the service or one of its workloads changes, so
 * that a connection costs one binary search.
 */
import { localityRank } from "./locality.ts";
import type { Endpoint, RoutingScope, Service, Workload, WorkloadUid } from "../model/model.ts";
import { PoolReport } from "./pool_report.ts";
import type { Trace } from "../model/reasons.ts";
import type { EndpointHealth } from "../state/endpoint_health.ts";
import { EndpointPool, type Member } from "../state/endpoint_pool.ts";
import type { ServiceEntry } from "../state/service_entry.ts";
import { Upstream } from "../model/upstream.ts";

/** "standard": user traffic and gateways. "waypoint": a waypoint, whose service may lack the port. */
export type ResolutionMode = "standard" | "waypoint";

/** Endpoints that the pool leaves out where the service has others. */
interface Avoided {
  /** Endpoints to which connections failed lately. */
  readonly health: EndpointHealth | null;
  /** Endpoints that this connection has tried. */
  readonly tried: Tried;
}

/** Workloads that one connection has tried without success; null: none. */
export type Tried = ReadonlySet<WorkloadUid> | null;

/** An endpoint that can be used. */
interface Candidate {
  readonly endpoint: Endpoint;
  readonly workload: Workload;
  readonly rank: number;
  readonly isTried: boolean;
  /** Why new connections avoid it; null: they do not. */
  readonly avoidance: string | null;
}

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
  avoided: Avoided,
  trace: Trace,
): EndpointPool {
  const { service } = entry;
  const balancer = service.loadBalancer;
  const ranked = balancer !== null && balancer.mode !== "Standard";
  const report = trace === null ? null : new PoolReport(trace);
  const candidates: Candidate[] = [];
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
    const isTried = avoided.tried?.has(workload.uid) ?? false;
    const target = targetPort(service, endpoint, workload, port);
    const avoidance = target === null ? null : avoided.health?.avoidance(workload.uid, target) ?? null;
    candidates.push({ endpoint, workload, rank, isTried, avoidance });
  }
  const usable = usableOf(candidates);
  const best = usable.reduce((highest, { rank }) => Math.max(highest, rank), 0);
  if (report !== null) reportOn(report, candidates, usable, best, balancer?.routingPreferences ?? []);
  const hasOthers = candidates.filter((candidate) => !candidate.isTried && isChoosable(candidate)).length > 1;
  return new EndpointPool(
    usable.filter(({ rank }) => rank === best).map(({ endpoint, workload }): Member => {
      const target = targetPort(service, endpoint, workload, port);
      const upstream = target === null ? null : new Upstream(workload, target, service, hasOthers);
      return { capacity: workload.capacity, upstream };
    }),
  );
}

/**
 * The endpoints that are neither tried nor avoided; where there are none, those that are not tried; else all. So passive
 * health never leaves a service without endpoints.
 */
function usableOf(candidates: readonly Candidate[]): readonly Candidate[] {
  if (candidates.every(({ isTried, avoidance }) => !isTried && avoidance === null)) return candidates;
  const untried = candidates.filter((candidate) => !candidate.isTried && isChoosable(candidate));
  const healthy = untried.filter(({ avoidance }) => avoidance === null);
  return healthy.length > 0 ? healthy : untried.length > 0 ? untried : candidates;
}

function reportOn(
  report: PoolReport,
  candidates: readonly Candidate[],
  usable: readonly Candidate[],
  best: number,
  preferences: readonly RoutingScope[],
): void {
  const inUse = new Set(usable);
  for (const candidate of candidates) {
    const { workload: { uid, capacity }, rank, isTried, avoidance } = candidate;
    const note = isTried ? "this connection has tried it" : avoidance;
    if (!inUse.has(candidate) && note !== null) report.leftOut(uid, note);
    else report.ranked(uid, rank, capacity, note);
  }
  report.end(best, preferences);
}

function isChoosable({ workload }: Candidate): boolean {
  return workload.capacity > 0;
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

/** The port of the endpoint for clients that connect to `port`; null: it has none (`docs/spec/xds-state.md` 4.7). */
function targetPort(service: Service, endpoint: Endpoint, workload: Workload, port: number): number | null {
  const target = endpoint.ports.get(port) ?? service.ports.get(port) ?? 0;
  if (target > 0 || endpoint.ports.has(port)) return target;
  return workload.applicationTunnel?.port != null ? port : null;
}
