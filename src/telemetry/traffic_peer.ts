/**
 * One side of a connection in metrics and access log: labels 2 to 9 or 13 to 20, the locality, and the fields of the
 * log (`docs/spec/dataplane.md` 7.3, 8.2).
 *
 * A side is described by the control plane (a workload), by the peer itself (baggage, certificate), or both. Making one
 * takes microseconds, so `traffic_labels.ts` caches them.
 */
import { cutToBytes, label } from "./label_text.ts";

/** The fields of a workload that labels need. The mesh's `Workload` has them. */
export interface TrafficWorkload {
  /** Name of the pod. */
  readonly name: string;
  readonly namespace: string;
  readonly trustDomain: string;
  readonly serviceAccount: string;
  /** Name of the pod's owner, such as a Deployment. */
  readonly workloadName: string;
  readonly canonicalName: string;
  readonly canonicalRevision: string;
  readonly clusterId: string;
  readonly locality: { readonly region: string; readonly zone: string };
}

/** The baggage of a peer and the identity of its certificate. Each field may be missing. */
export interface DerivedPeer {
  readonly identity?: string | null;
  readonly workloadName?: string | null;
  readonly serviceName?: string | null;
  readonly serviceVersion?: string | null;
  readonly namespace?: string | null;
  readonly clusterId?: string | null;
  readonly region?: string | null;
  readonly zone?: string | null;
}

/** Which end of a connection. */
type Side = "source" | "destination";

/** A side in its rendered form. */
export interface TrafficPeer {
  readonly labels: string;
  readonly locality: string;
  readonly log: PeerLog;
}

/** Fields of the access log; null is left out. */
interface PeerLog {
  readonly workload: string | null;
  readonly namespace: string | null;
  /** Logged only for connections with mutual TLS. */
  readonly identity: string | null;
  readonly cluster: string | null;
}

interface PeerValues {
  readonly workload: string;
  readonly canonicalService: string;
  readonly revision: string;
  readonly namespace: string;
  readonly principal: string;
  readonly app: string;
  readonly cluster: string;
  readonly region: string;
  readonly zone: string;
}

/** Most bytes of Kubernetes names and label values. Longer values from baggage are cut. */
const NAME_MAX = 253, LABEL_MAX = 63;

/**
 * The source. Fields of the workload are preferred, except for the principal, which comes from the certificate only.
 */
export function sourcePeer(workload: TrafficWorkload | null, derived: DerivedPeer | null): TrafficPeer {
  const values = workload === null
    ? derivedValues(derived ?? {})
    : { ...workloadValues(workload), principal: derived?.identity ?? "" };
  return peer("source", values, workload?.name ?? known(values.canonicalService));
}

/** The destination. Baggage from behind an east-west gateway is preferred over the workload, which is the gateway. */
export function destinationPeer(workload: TrafficWorkload | null, derived: DerivedPeer | null): TrafficPeer {
  if (derived !== null) {
    const values = derivedValues(derived);
    return peer("destination", values, known(values.workload) ?? known(values.canonicalService));
  }
  if (workload === null) return peer("destination", derivedValues({}), null);
  return peer("destination", workloadValues(workload), workload.name);
}

/** The SPIFFE id made of the workload's fields, valid or not. */
export function workloadIdentity({ trustDomain, namespace, serviceAccount }: TrafficWorkload): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}

function workloadValues(workload: TrafficWorkload): PeerValues {
  return {
    workload: workload.workloadName,
    canonicalService: workload.canonicalName,
    revision: workload.canonicalRevision,
    namespace: workload.namespace,
    principal: workloadIdentity(workload),
    app: workload.canonicalName,
    cluster: workload.clusterId,
    region: workload.locality.region,
    zone: workload.locality.zone,
  };
}

function derivedValues(derived: DerivedPeer): PeerValues {
  const limited = (text: string | null | undefined, most: number) => cutToBytes(text ?? "", most);
  return {
    workload: limited(derived.workloadName, NAME_MAX),
    canonicalService: limited(derived.serviceName, LABEL_MAX),
    revision: limited(derived.serviceVersion, LABEL_MAX),
    namespace: limited(derived.namespace, LABEL_MAX),
    principal: derived.identity ?? "",
    app: limited(derived.workloadName, NAME_MAX),
    cluster: limited(derived.clusterId, NAME_MAX),
    region: limited(derived.region, LABEL_MAX),
    zone: limited(derived.zone, LABEL_MAX),
  };
}

function peer(side: Side, values: PeerValues, logName: string | null): TrafficPeer {
  return {
    labels: [
      label(`${side}_workload`, values.workload),
      label(`${side}_canonical_service`, values.canonicalService),
      label(`${side}_canonical_revision`, values.revision),
      label(`${side}_workload_namespace`, values.namespace),
      label(`${side}_principal`, values.principal),
      label(`${side}_app`, values.app),
      label(`${side}_version`, values.revision),
      label(`${side}_cluster`, values.cluster),
    ].join(","),
    locality: `${label(`${side}_region`, values.region)},${label(`${side}_zone`, values.zone)}`,
    log: {
      workload: logName,
      namespace: known(values.namespace),
      identity: known(values.principal),
      cluster: known(values.cluster),
    },
  };
}

function known(text: string): string | null {
  return text === "" ? null : text;
}
