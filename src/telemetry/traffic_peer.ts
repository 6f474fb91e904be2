/**
 * One side of a connection as metrics and access log show it: labels 2 to 9 or 13 to 20, the locality, and the names
 * for the log (`docs/spec/dataplane.md` 7.3, 8.2).
 *
 * A side comes from the control plane (a workload), from what the peer says about itself (baggage, certificate), or
 * both. Making one costs microseconds, so `traffic_labels.ts` remembers them.
 */
import { cutToBytes, label } from "./label_text.ts";

/** What is needed of a workload. The mesh's `Workload` is one. */
export interface TrafficWorkload {
  /** Of the pod. */
  readonly name: string;
  readonly namespace: string;
  readonly trustDomain: string;
  readonly serviceAccount: string;
  /** Of the owner. */
  readonly workloadName: string;
  readonly canonicalName: string;
  readonly canonicalRevision: string;
  readonly clusterId: string;
  readonly locality: { readonly region: string; readonly zone: string };
}

/** What a peer said about itself in its baggage, with the identity of its certificate. All may be missing. */
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

export type Side = "source" | "destination";

/** Null where nothing is known. Equal `labels` and `locality` make equal series. */
export interface TrafficPeer {
  readonly labels: string;
  readonly locality: string;
  readonly log: PeerLog;
}

/** For the access log: null is left out. */
export interface PeerLog {
  readonly workload: string | null;
  readonly namespace: string | null;
  /** Shown only for connections under mTLS. */
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

/** Kubernetes names have at most 253 bytes, label values 63; a peer's baggage must not cost more. */
const NAME_MAX = 253, LABEL_MAX = 63;

/** The workload wins, except for the principal: that is the certificate's alone, never inferred. */
export function sourcePeer(workload: TrafficWorkload | null, derived: DerivedPeer | null): TrafficPeer {
  const values = workload === null
    ? derivedValues(derived ?? {})
    : { ...workloadValues(workload), principal: derived?.identity ?? "" };
  return peer("source", values, workload?.name ?? known(values.canonicalService));
}

/** What an east-west gateway's inner side said about itself wins over the gateway. */
export function destinationPeer(workload: TrafficWorkload | null, derived: DerivedPeer | null): TrafficPeer {
  if (derived !== null) {
    const values = derivedValues(derived);
    return peer("destination", values, known(values.workload) ?? known(values.canonicalService));
  }
  if (workload === null) return peer("destination", derivedValues({}), null);
  return peer("destination", workloadValues(workload), workload.name);
}

/** The SPIFFE id that the control plane's words make, valid or not. */
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
  const said = (text: string | null | undefined, most: number) => cutToBytes(text ?? "", most);
  return {
    workload: said(derived.workloadName, NAME_MAX),
    canonicalService: said(derived.serviceName, LABEL_MAX),
    revision: said(derived.serviceVersion, LABEL_MAX),
    namespace: said(derived.namespace, LABEL_MAX),
    principal: derived.identity ?? "",
    app: said(derived.workloadName, NAME_MAX),
    cluster: said(derived.clusterId, NAME_MAX),
    region: said(derived.region, LABEL_MAX),
    zone: said(derived.zone, LABEL_MAX),
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
