/**
 * The `baggage` header of HBONE: it describes the workload at one end for the telemetry of the other end
 * (`docs/spec/xds-state.md` 6.1, 6.2). It is never used for authorization.
 */
import type { Workload } from "../model/model.ts";

/** What a peer sent about its workload. Null: the field was absent or empty. */
export interface Baggage {
  readonly clusterId: string | null;
  readonly namespace: string | null;
  readonly workloadName: string | null;
  readonly canonicalName: string | null;
  readonly canonicalRevision: string | null;
  readonly region: string | null;
  readonly zone: string | null;
}

/** The baggage of a peer that sent none. */
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

/** The value of the header for a workload. The text is made once per value. */
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

/** Values are not escaped, so a value that would break the header or add a member is left out. */
function isSafe(value: string): boolean {
  return value !== "" && VISIBLE_ASCII.test(value) && !value.includes(",");
}

/**
 * Parses all `baggage` lines of one message, in order. Returns {@link NO_BAGGAGE} itself where there is no line, or
 * where any line has characters other than visible ASCII.
 */
export function parseBaggage(lines: readonly string[]): Baggage {
  if (lines.length === 0) return NO_BAGGAGE;
  const baggage: Record<keyof Baggage, string | null> = { ...NO_BAGGAGE };
  for (const line of lines) {
    if (!VISIBLE_ASCII.test(line)) return NO_BAGGAGE;
    for (const member of line.split(",")) {
      const [key, value] = member.split("=", 2);
      const field = FIELDS.get(key!);
      // An empty value removes what an earlier member set.
      if (field !== undefined && value !== undefined) baggage[field] = value === "" ? null : value;
    }
  }
  return baggage;
}
