/**
 * The Helm charts of Istio and Cilium with our values files (`deploy/values/`), rendered by the helm of
 * `tests/peers/helm`.
 */
import { dirname } from "node:path";
import { parse } from "yaml";
import { BuiltPeer } from "./built_peer.ts";
import { type KubernetesObject, objectsOf } from "./manifest_text.ts";
import { type ChartName, chartOf, VALUES } from "./values_files.ts";

/** The program; `deno task interop:helm` builds it and puts the charts beside it. */
export const HELM = new BuiltPeer("helm");

/** What `helm template` needs for each chart, and which of its templates make the proxy. */
const CHARTS = {
  istio: { release: "ztunnel", namespace: "istio-system", templates: null },
  cilium: { release: "cilium", namespace: "kube-system", templates: ["ztunnel/daemonset", "ztunnel/serviceaccount"] },
} as const;

/** The default values of a chart. Istio's has them under a key of its own, as its profiles come between. */
export function defaultValues(chart: ChartName): Record<string, unknown> {
  const values = parse(Deno.readTextFileSync(`${folderOf(chart)}/values.yaml`)) as Record<string, unknown>;
  return (values["_internal_defaults_do_not_set"] ?? values) as Record<string, unknown>;
}

/**
 * Renders a chart with values files, later ones over earlier ones. Returns the objects of the proxy, or all of them with
 * `whole`. Rejected with the output of helm when it fails.
 */
export async function renderChart(files: readonly string[], whole = false): Promise<KubernetesObject[]> {
  const chart = chartOf(files[0]!);
  const { release, namespace, templates } = CHARTS[chart];
  const only = whole ? [] : (templates ?? []).flatMap((name) => ["--show-only", `templates/${name}.yaml`]);
  const values = files.flatMap((file) => ["--values", `${VALUES}${file}.yaml`]);
  const args = ["template", release, folderOf(chart), "--namespace", namespace, ...values, ...only];
  const { success, stdout, stderr } = await new Deno.Command(HELM.path, { args, stdin: "null" }).output();
  if (!success) throw new Error(`helm ${args.join(" ")} failed: ${new TextDecoder().decode(stderr)}`);
  return objectsOf(new TextDecoder().decode(stdout));
}

function folderOf(chart: ChartName): string {
  return `${dirname(HELM.path)}/charts/${chart}`;
}
