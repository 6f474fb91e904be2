/** Makes Kubernetes objects of the scenarios, as JSON documents. */
import type { NodeNumber } from "./nodes.ts";

/** The namespace of the scenarios' pods, all of which are in the mesh. */
export const NAMESPACE = "demo";
/** Ports of the application in every pod (`tests/peers/kubernetes/app`). */
export const PORTS = { http: 8080, echo: 9090 } as const;

const IMAGE = "docker.io/lab/app:1";
const APP = "/usr/local/bin/app";

/** What pods have in common. */
interface PodOptions {
  /** Value of the label `app`, and by default the service account. */
  readonly app: string;
  readonly account?: string;
  readonly node?: NodeNumber;
  readonly hostNetwork?: boolean;
  /** Arguments of the program. Default: it serves. */
  readonly args?: readonly string[];
  /** Seconds between SIGTERM and the end. Default: 1. */
  readonly grace?: number;
  /** Seconds between its leaving the endpoints and SIGTERM. Default: none. */
  readonly preStopSeconds?: number;
  readonly labels?: Readonly<Record<string, string>>;
  /** Further fields of the pod's `spec`. */
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** Joins documents. */
export function documents(...all: readonly unknown[]): string {
  return all.map((object) => JSON.stringify(object)).join("\n---\n");
}

/** A Namespace; `ambient`: its pods are in the mesh. */
export function namespace(name: string, ambient: boolean): unknown {
  const labels = ambient ? { "istio.io/dataplane-mode": "ambient" } : {};
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
}

/** A ServiceAccount. */
export function serviceAccount(name: string, ns = NAMESPACE): unknown {
  return { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace: ns } };
}

/** A Pod. */
export function pod(name: string, options: PodOptions, ns = NAMESPACE): unknown {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: ns, labels: labelsOf(options) },
    spec: podSpec(options),
  };
}

/** A Deployment, StatefulSet or Job of such pods. `fields`: of its `spec`, besides the template. */
export function workload(
  kind: "Deployment" | "StatefulSet" | "Job",
  name: string,
  options: PodOptions,
  fields: Readonly<Record<string, unknown>>,
): unknown {
  const selector = kind === "Job" ? {} : { selector: { matchLabels: { app: options.app } } };
  return {
    apiVersion: kind === "Job" ? "batch/v1" : "apps/v1",
    kind,
    metadata: { name, namespace: NAMESPACE },
    spec: { ...selector, ...fields, template: { metadata: { labels: labelsOf(options) }, spec: podSpec(options) } },
  };
}

/** A Service of the pods with the label `app`. */
export function service(
  app: string,
  options: { readonly headless?: boolean; readonly labels?: Readonly<Record<string, string>>; readonly ns?: string } =
    {},
): unknown {
  const { headless = false, labels = {}, ns = NAMESPACE } = options;
  const ports = [{ name: "http", port: 80, targetPort: PORTS.http }, { name: "tcp-echo", port: PORTS.echo }];
  const spec = { ...(headless ? { clusterIP: "None" } : {}), selector: { app }, ports };
  return { apiVersion: "v1", kind: "Service", metadata: { name: app, namespace: ns, labels }, spec };
}

/** An AuthorizationPolicy for the pods with the label `app`. */
export function authorizationPolicy(name: string, app: string, spec: Readonly<Record<string, unknown>>): unknown {
  const metadata = { name, namespace: NAMESPACE };
  const selector = { matchLabels: { app } };
  return { apiVersion: "security.istio.io/v1", kind: "AuthorizationPolicy", metadata, spec: { selector, ...spec } };
}

/** A PodDisruptionBudget: how many of the pods with the label `app` a drain may evict at a time. */
export function disruptionBudget(app: string, { maxUnavailable }: { readonly maxUnavailable: number }): unknown {
  const spec = { maxUnavailable, selector: { matchLabels: { app } } };
  return { apiVersion: "policy/v1", kind: "PodDisruptionBudget", metadata: { name: app, namespace: NAMESPACE }, spec };
}

function labelsOf({ app, labels = {} }: PodOptions): Record<string, string> {
  return { app, ...labels };
}

function podSpec(options: PodOptions): Record<string, unknown> {
  const { app, account = app, node, hostNetwork = false, args = ["serve"], grace = 1, preStopSeconds, spec = {} } =
    options;
  const serves = args[0] === "serve";
  const probe = { httpGet: { path: "/", port: PORTS.http }, periodSeconds: 1 };
  return {
    serviceAccountName: account,
    terminationGracePeriodSeconds: grace,
    ...(node === undefined ? {} : { nodeSelector: { "kubernetes.io/hostname": `node${node}` } }),
    ...(hostNetwork ? { hostNetwork, dnsPolicy: "ClusterFirstWithHostNet" } : {}),
    containers: [{
      name: "app",
      image: IMAGE,
      command: [APP],
      args,
      ...(serves ? { readinessProbe: probe } : {}),
      ...(preStopSeconds === undefined ? {} : { lifecycle: { preStop: { sleep: { seconds: preStopSeconds } } } }),
    }],
    ...spec,
  };
}
