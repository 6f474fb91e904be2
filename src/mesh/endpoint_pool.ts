/**
 * The endpoints of a service that one kind of client may get, ready for a weighted choice.
 *
 * Building it looks at every endpoint; it is kept until the service or one of its workloads changes, so that a
 * connection costs one binary search.
 */
import { localityRank } from "./locality.ts";
import type { Endpoint, Service, Workload, WorkloadUid } from "./model.ts";
import { PoolReport } from "./pool_report.ts";
import type { Option, Trace } from "./reasons.ts";
import type { ServiceEntry } from "./service_entry.ts";
import { Upstream } from "./upstream.ts";

/** What the choice is for: user traffic and gateways, or a waypoint, which may lack the port. */
export type ResolutionMode = "standard" | "waypoint";

/** In [0, 1), like `Math.random`. */
export type Random = () => number;

/** One endpoint of the pool; upstream null where it turns out to have no port for the client. */
interface Member {
  readonly capacity: number;
  readonly upstream: Upstream | null;
}

export class EndpointPool {
  readonly #members: readonly Member[];
  /** Sums of capacities up to each member. */
  readonly #sums: readonly number[];

  constructor(members: readonly Member[]) {
    this.#members = members.filter((member) => member.capacity > 0);
    let sum = 0;
    this.#sums = this.#members.map((member) => sum += member.capacity);
  }

  get isEmpty(): boolean {
    return this.#members.length === 0;
  }

  /** Members that can be chosen. */
  get size(): number {
    return this.#members.length;
  }

  /** Of {@link pick}: the chance of each member is its weight. One member is no choice. */
  get options(): readonly Option[] {
    return this.#members.map(({ capacity, upstream }) => ({
      name: upstream?.workload.uid ?? "an endpoint without the port",
      weight: capacity,
    }));
  }

  /** One member, with a chance in proportion to its capacity; null where there is none or the chosen one has no port. */
  pick(random: Random): Upstream | null {
    const last = this.#members.length - 1;
    if (last <= 0) return this.#members[0]?.upstream ?? null;
    const point = random() * this.#sums[last]!;
    let low = 0;
    let high = last;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sums[middle]! > point) high = middle;
      else low = middle + 1;
    }
    return this.#members[low]!.upstream;
  }
}

/** `find` gives workloads by uid; reasons why endpoints were left out go to `trace`. */
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

/** Why the endpoint cannot be used at all, or null (`docs/spec/xds-state.md` 4.4). */
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

/** The endpoint with the port to reach there, or null (`docs/spec/xds-state.md` 4.7). */
function upstreamOf(service: Service, endpoint: Endpoint, workload: Workload, port: number): Upstream | null {
  const target = endpoint.ports.get(port) ?? service.ports.get(port) ?? 0;
  if (target > 0 || endpoint.ports.has(port)) return new Upstream(workload, target, service);
  return workload.applicationTunnel?.port != null ? new Upstream(workload, port, service) : null;
}
