/** Makes Kubernetes and Istio objects for istiod, as YAML documents. */

/** Joins documents. */
export function documents(...all: readonly string[]): string {
  return all.join("\n---\n");
}

/** Two nodes, the root namespace, an ambient namespace `app`, and the proxies `ztunnel-1` and `ztunnel-2` on the nodes. */
export const CLUSTER = documents(
  namespace("istio-system"),
  namespace("app", { "istio.io/dataplane-mode": "ambient" }),
  ...[1, 2].flatMap((n) => [
    node(`node-${n}`, { "topology.kubernetes.io/region": "r1", "topology.kubernetes.io/zone": `z${n}` }),
    proxyPod({ name: `ztunnel-${n}`, node: `node-${n}`, ip: `192.0.2.${n}` }),
  ]),
);

/** Returns the pod of a node's proxy, by which istiod authorizes it to request certificates for pods of the node. */
export function proxyPod(of: { readonly name: string; readonly node: string; readonly ip: string }): string {
  return pod({ ...of, namespace: "istio-system", account: "ztunnel", ambient: false });
}

/** Returns a Namespace. */
export function namespace(name: string, labels: Readonly<Record<string, string>> = {}): string {
  return JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
}

function node(name: string, labels: Readonly<Record<string, string>>): string {
  return JSON.stringify({ apiVersion: "v1", kind: "Node", metadata: { name, labels } });
}

/** A Pod. */
interface PodObject {
  readonly name: string;
  /** Default: `app`. */
  readonly namespace?: string;
  /** The service account. Default: the name. */
  readonly account?: string;
  /** One address or, for both families, two. */
  readonly ip: string | readonly string[];
  /** Default: `node-1`. */
  readonly node?: string;
  /** It is captured by the proxy of its node. Default: true. */
  readonly ambient?: boolean;
  /** Labels besides `app: NAME`. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Numbers by name. */
  readonly ports?: Readonly<Record<string, number>>;
  readonly ready?: boolean;
}

/** Returns a Pod. */
export function pod(of: PodObject): string {
  const { name, namespace = "app", account = name, node = "node-1", ambient = true, ready = true } = of;
  const ports = Object.entries(of.ports ?? {}).map(([port, containerPort]) => ({ name: port, containerPort }));
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace,
      labels: { app: name, ...of.labels },
      annotations: ambient ? { "ambient.istio.io/redirection": "enabled" } : {},
    },
    spec: { nodeName: node, serviceAccountName: account, containers: [{ name: "main", ports }] },
    status: {
      phase: "Running",
      podIPs: [of.ip].flat().map((ip) => ({ ip })),
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
    },
  });
}

/** A Service. */
interface ServiceObject {
  readonly name: string;
  /** Default: `app`. */
  readonly namespace?: string;
  /** One for each family, or `None`. */
  readonly vip: string | readonly string[];
  /** Value of the `app` label of its pods. Default: the name. */
  readonly app?: string;
  /** Target ports by port. A target may be the name of a container's port. */
  readonly ports: Readonly<Record<number, number | string>>;
  readonly labels?: Readonly<Record<string, string>>;
}

/** Returns a Service. */
export function service(of: ServiceObject): string {
  const { name, namespace = "app", vip, app = name, ports, labels = {} } = of;
  const vips = [vip].flat();
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace, labels },
    spec: {
      clusterIP: vips[0],
      ...vips.length > 1 && { clusterIPs: vips },
      ipFamilies: vips.map((each) => each.includes(":") ? "IPv6" : "IPv4"),
      selector: { app },
      ports: Object.entries(ports).map(([port, targetPort]) => ({ name: `p${port}`, port: Number(port), targetPort })),
    },
  });
}

/** An AuthorizationPolicy. */
interface PolicyObject {
  readonly name: string;
  /** Default: `app`. A policy in `istio-system` applies to the whole mesh. */
  readonly namespace?: string;
  readonly action?: "ALLOW" | "DENY";
  /** The value of the `app` label. Without it the policy applies to the whole namespace. */
  readonly app?: string;
  /** The rules of the AuthorizationPolicy. ALLOW without rules allows no peer; DENY with one empty rule denies all. */
  readonly rules?: readonly unknown[];
  readonly dryRun?: boolean;
}

/** Returns an AuthorizationPolicy. */
export function authorizationPolicy(of: PolicyObject): string {
  const { name, namespace = "app", action = "ALLOW", app, rules = [], dryRun = false } = of;
  return JSON.stringify({
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: { name, namespace, annotations: dryRun ? { "istio.io/dry-run": "true" } : {} },
    spec: { action, rules, ...app !== undefined && { selector: { matchLabels: { app } } } },
  });
}

/** Returns a document that names an object, for its deletion. */
export function reference(
  kind: "Pod" | "Service" | "AuthorizationPolicy" | "PeerAuthentication" | "Gateway",
  name: string,
  namespace = "app",
): string {
  return JSON.stringify({ apiVersion: API_VERSIONS[kind], kind, metadata: { name, namespace } });
}

const API_VERSIONS = {
  Pod: "v1",
  Service: "v1",
  AuthorizationPolicy: "security.istio.io/v1",
  PeerAuthentication: "security.istio.io/v1",
  Gateway: "gateway.networking.k8s.io/v1",
} as const;
