/** Decodes `istio.workload.Workload` (`docs/spec/xds-state.md` 1.3, 1.8). */
import type { WorkloadChange } from "../mesh/model/changes.ts";
import { DEFAULT_WORKLOAD } from "../mesh/model/defaults.ts";
import {
  type ApplicationTunnel,
  type NamespacedHostname,
  type PortMap,
  type Workload,
  workloadUid,
} from "../mesh/model/model.ts";
import { appended } from "../mesh/state/short_list.ts";
import { type MeshReader, type Mutable, Unacceptable } from "./mesh_reader.ts";
import { type FieldTable, readFields, readMessage } from "./wire_reader.ts";

interface MutableChange {
  readonly kind: "workload";
  readonly workload: Mutable<Workload>;
  readonly endpoints: Map<NamespacedHostname, PortMap>;
}

const PROTOCOLS = ["TCP", "HBONE", "LEGACY_ISTIO_MTLS"] as const;
const NETWORK_MODES = ["Standard", "HostNetwork"] as const;
const HEALTH = ["Healthy", "Unhealthy"] as const;
const WORKLOAD_TYPES = ["deployment", "cronjob", "pod", "job"];
const TUNNEL_PROTOCOLS = ["NONE", "PROXY"] as const;

const WORKLOAD: FieldTable<MutableChange, MeshReader> = {
  1: ({ workload }, r) => workload.name = r.text(),
  2: ({ workload }, r) => workload.namespace = r.commonText(),
  3: ({ workload }, r) => workload.workloadIps = appended(workload.workloadIps, r.ip()),
  4: ({ workload }, r) => workload.network = r.commonText(),
  5: ({ workload }, r) => workload.protocol = protocolOf(r.enum(PROTOCOLS)),
  6: ({ workload }, r) => workload.trustDomain = r.commonText() || DEFAULT_WORKLOAD.trustDomain,
  7: ({ workload }, r) => workload.serviceAccount = r.commonText() || DEFAULT_WORKLOAD.serviceAccount,
  8: ({ workload }, r) => workload.waypoint = r.gateway(),
  9: ({ workload }, r) => workload.node = r.commonText(),
  10: ({ workload }, r) => workload.canonicalName = r.commonText(),
  11: ({ workload }, r) => workload.canonicalRevision = r.commonText(),
  12: ({ workload }, r) => workload.workloadType = WORKLOAD_TYPES[r.int32()] ?? DEFAULT_WORKLOAD.workloadType,
  13: ({ workload }, r) => workload.workloadName = r.commonText(),
  14: ({ workload }, r) => workload.nativeTunnel = r.bool(),
  16: ({ workload }, r) => workload.authorizationPolicies = joined(workload.authorizationPolicies, r.policyKeys()),
  17: ({ workload }, r) => workload.status = r.enum(HEALTH),
  18: ({ workload }, r) => workload.clusterId = r.commonText() || DEFAULT_WORKLOAD.clusterId,
  19: ({ workload }, r) => workload.networkGateway = r.gateway(),
  20: ({ workload }, r) => workload.uid = workloadUid(r.text()),
  21: ({ workload }, r) => workload.hostname = r.commonText(),
  22: ({ endpoints }, r) => r.membership(endpoints),
  23: ({ workload }, r) => workload.applicationTunnel = readTunnel(r),
  24: ({ workload }, r) => workload.locality = r.locality(),
  25: ({ workload }, r) => workload.networkMode = r.enum(NETWORK_MODES),
  27: ({ workload }, r) => workload.capacity = readMessage(r, UINT32_VALUE, { value: 0 }).value,
};

const UINT32_VALUE: FieldTable<{ value: number }, MeshReader> = { 1: (wrapper, r) => wrapper.value = r.uint32() };

const APPLICATION_TUNNEL: FieldTable<Mutable<ApplicationTunnel>, MeshReader> = {
  1: (tunnel, r) => tunnel.protocol = r.enum(TUNNEL_PROTOCOLS),
  2: (tunnel, r) => tunnel.port = r.port() || null,
};

/** Decodes the message that the reader has opened. Throws `Malformed` or `Unacceptable`. */
export function decodeWorkload(reader: MeshReader): WorkloadChange {
  const change: MutableChange = { kind: "workload", workload: newWorkload(), endpoints: new Map() };
  readFields(reader, WORKLOAD, change);
  const { workload, endpoints } = change;
  for (const key of endpoints.keys()) workload.services = appended(workload.services, key);
  return change;
}

/** All properties are listed, so that all workloads have the same hidden class. */
function newWorkload(): Mutable<Workload> {
  const { trustDomain, serviceAccount, workloadType, clusterId, authorizationPolicies, locality, services } =
    DEFAULT_WORKLOAD;
  return {
    uid: workloadUid(""),
    name: "",
    namespace: "",
    trustDomain,
    serviceAccount,
    network: "",
    workloadIps: DEFAULT_WORKLOAD.workloadIps,
    protocol: "TCP",
    networkMode: "Standard",
    status: "Healthy",
    waypoint: null,
    networkGateway: null,
    workloadName: "",
    workloadType,
    canonicalName: "",
    canonicalRevision: "",
    hostname: "",
    node: "",
    clusterId,
    nativeTunnel: false,
    applicationTunnel: null,
    authorizationPolicies,
    locality,
    capacity: 1,
    services,
  };
}

function protocolOf(protocol: typeof PROTOCOLS[number]): Workload["protocol"] {
  if (protocol !== "LEGACY_ISTIO_MTLS") return protocol;
  throw new Unacceptable("unknown enum: unsupported tunnel protocol: legacy istio mtls");
}

function readTunnel(reader: MeshReader): ApplicationTunnel {
  return readMessage(reader, APPLICATION_TUNNEL, { protocol: "NONE", port: null });
}

function joined<T>(list: readonly T[], more: readonly T[]): readonly T[] {
  return list.length === 0 ? more : [...list, ...more];
}
