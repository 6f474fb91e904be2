/** Plain manifests for those who do not use Helm: what a chart renders, with the changes listed here. */
import { type KubernetesObject, manifestText } from "./manifest_text.ts";

const LABELS_OF_HELM = [
  "app.kubernetes.io/managed-by",
  "app.kubernetes.io/instance",
  "app.kubernetes.io/version",
  "helm.sh/chart",
];

/** Variables that the chart sets for the Rust ztunnel. */
const UNUSED_VARIABLES = ["RUST_BACKTRACE", "INPOD_ENABLED"];

/** The beginning of the file, with each change and its reason. */
const HEAD = `\
# Made by \`deno task manifests\` from what Istio's chart \`ztunnel\` renders with VALUES. Do not edit it.
#
#   kubectl apply -f FILE
#
# Adapt image, network and cluster id; the rest fits an Istio of one revision. The differences from the rendered chart:
#   labels of Helm                left out, since Helm does not manage these objects
#   RUST_BACKTRACE                left out: the runtime would add an empty stack to each error
#   INPOD_ENABLED                 left out: the Rust ztunnel ignores it too
#   automountServiceAccountToken  false: the API server is never called, so there is no token to steal
#   seccompProfile                RuntimeDefault: forbids system calls that no container needs
#   imagePullPolicy               explicit, so that it does not change with the form of the tag
#
# The user is root because Kubernetes grants capabilities to root only. The proxy needs SYS_ADMIN to enter the network
# namespaces of pods, NET_ADMIN for marks and transparent sockets, and NET_RAW for the latter too.
`;

interface Labelled {
  labels: Record<string, string>;
  annotations?: Record<string, string>;
}

interface DaemonSet {
  readonly spec: { readonly template: { readonly metadata: Labelled; readonly spec: PodSpec } };
}

interface PodSpec {
  automountServiceAccountToken?: boolean;
  securityContext?: unknown;
  readonly containers: { image: string; imagePullPolicy?: string; env: { readonly name: string }[] }[];
}

/**
 * Returns the manifests of `rendered` (`renderChart`) with these changes. `values` (which values files) and `file` (where
 * the result is kept) are for its beginning. `image` replaces that of the values.
 */
export function plainManifest(
  rendered: readonly KubernetesObject[],
  values: string,
  file: string,
  image: string,
): string {
  const objects = structuredClone(rendered) as (KubernetesObject & { metadata: Labelled })[];
  for (const object of objects) {
    removeMarksOfHelm(object.metadata);
    if (object.kind === "DaemonSet") changePod(object as unknown as DaemonSet, image);
  }
  return HEAD.replace("VALUES", values).replace("FILE", file) + manifestText(objects);
}

function removeMarksOfHelm(metadata: Labelled): void {
  for (const name of LABELS_OF_HELM) delete metadata.labels[name];
  if (Object.keys(metadata.annotations ?? {}).length === 0) delete metadata.annotations;
}

function changePod({ spec: { template } }: DaemonSet, image: string): void {
  removeMarksOfHelm(template.metadata);
  template.spec.automountServiceAccountToken = false;
  template.spec.securityContext = { seccompProfile: { type: "RuntimeDefault" } };
  for (const container of template.spec.containers) {
    container.image = image;
    container.imagePullPolicy = "IfNotPresent";
    container.env = container.env.filter(({ name }) => !UNUSED_VARIABLES.includes(name));
  }
}
