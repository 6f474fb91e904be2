/**
 * The `baggage` header of HBONE: who is at this end, for the other end's telemetry (`docs/spec/xds-state.md` 6.1, 6.2).
 * Never used for authorization.
 */
import type { Workload } from "../model/model.ts";

/** What a peer said about itself; null: nothing. */
export interface Baggage {
  readonly clusterId: string | null;
  readonly namespace: string | null;
  readonly workloadName: string | null;
  readonly canonicalName: string | null;
  readonly canonicalRevision: string | null;
  readonly region: string | null;
  readonly zone: string | null;
}

export const NO_BAGGAGE: Baggage = Object.freeze({
  clusterId: null,
  namespace: null,
  workloadName: null,
  canonicalName: null,
  canonicalRevision: null,
  region: null,
  zone: null,
});

const VISIBLE_ASCII = /^[\x20-\x7e\t]*$/;
const WORKLOAD_TYPES = new Set(["deployment", "cronjob", "pod", "job"]);
const FIELDS: ReadonlyMap<string, keyof Baggage> = new Map([
  ["k8s.cluster.name", "clusterId"],
  ["k8s.namespace.name", "namespace"],
  ["k8s.deployment.name", "workloadName"],
  ["k8s.cronjob.name", "workloadName"],
  ["k8s.pod.name", "workloadName"],
  ["k8s.job.name", "workloadName"],
  ["service.name", "canonicalName"],
  ["service.version", "canonicalRevision"],
  ["cloud.region", "region"],
  ["cloud.availability_zone", "zone"],
]);

const encoded = new WeakMap<Workload, string>();

/** The header of a workload; the same text for the same value, made once. */
export function baggageOf(workload: Workload): string {
  let text = encoded.get(workload);
  if (text === undefined) encoded.set(workload, text = encode(workload));
  return text;
}

function encode(workload: Workload): string {
  const type = WORKLOAD_TYPES.has(workload.workloadType) ? workload.workloadType : "deployment";
  const members: readonly (readonly [string, string])[] = [
    ["k8s.cluster.name", workload.clusterId],
    ["k8s.namespace.name", workload.namespace],
    [`k8s.${type}.name`, workload.workloadName],
    ["service.name", workload.canonicalName],
    ["service.version", workload.canonicalRevision],
    ["cloud.region", workload.locality.region],
    ["cloud.availability_zone", workload.locality.zone],
  ];
  return members.filter(([, value]) => isSafe(value)).map(([key, value]) => `${key}=${value}`).join(",");
}

/** Nothing is escaped, so a value that would break the header or forge a member is left out. */
function isSafe(value: string): boolean {
  return value !== "" && VISIBLE_ASCII.test(value) && !value.includes(",");
}

/**
 * All `baggage` lines of one message, in order. {@link NO_BAGGAGE} itself where there is none, or where one line that is
 * not visible ASCII spoils all of it.
 */
export function parseBaggage(lines: readonly string[]): Baggage {
  if (lines.length === 0) return NO_BAGGAGE;
  const baggage: Record<keyof Baggage, string | null> = { ...NO_BAGGAGE };
  for (const line of lines) {
    if (!VISIBLE_ASCII.test(line)) return NO_BAGGAGE;
    for (const member of line.split(",")) {
      const [key, value] = member.split("=", 2);
      const field = FIELDS.get(key!);
      // An empty value takes back what an earlier member said.
      if (field !== undefined && value !== undefined) baggage[field] = value === "" ? null : value;
    }
  }
  return baggage;
}
