/** Label values of a workload as the source of on-demand DNS requests (`docs/spec/dataplane.md` 7.3, last line). */
import { type TrafficWorkload, workloadIdentity } from "./traffic_peer.ts";

/** Label values in the order of `istio_on_demand_dns`. The principal is the workload's own identity. */
export function onDemandDnsLabels(source: TrafficWorkload, hostname: string): string[] {
  return [
    source.workloadName,
    source.canonicalName,
    source.canonicalRevision,
    source.namespace,
    workloadIdentity(source),
    source.canonicalName,
    source.canonicalRevision,
    source.clusterId,
    hostname,
  ];
}
