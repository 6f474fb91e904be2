/**
 * The Helm charts of Istio and Cilium with our values files (`deploy/values/`), rendered by the helm of
 * `tests/peers/helm`.
 */
import { dirname } from "node:path";
import { parse, parseAllDocuments, stringify } from "yaml";
import { BuiltPeer } from "./built_peer.ts";

/** The program; `deno task interop:helm` builds it and puts the charts beside it. */
export const HELM = new BuiltPeer("helm");

const VALUES = new URL("../../deploy/values/", import.meta.url).pathname;

/** What `helm template` needs for each chart, and which of its templates make the proxy. */
const CHARTS = {
  istio: { release: "ztunnel", namespace: "istio-system", templates: null },
  cilium: { release: "cilium", namespace: "kube-system", templates: ["ztunnel/daemonset", "ztunnel/serviceaccount"] },
} as const;

/** A chart, by the first word of the names of its values files. */
type ChartName = keyof typeof CHARTS;

/** Values files that have to be added to another one, which has the image. */
const ADDITIONS: Readonly<Record<string, string>> = {
  "istio-multicluster": "istio",
  "istio-crl": "istio",
  "istio-fips": "istio-spire-process",
};

/** A Kubernetes object. */
export interface KubernetesObject {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

/** The values files of a rendering, by their names without `.yaml`. */
interface Rendering {
  readonly name: string;
  readonly files: readonly string[];
}

/** One rendering for each values file, with the file that it is added to where that is necessary. */
export function renderings(): Rendering[] {
  const names = [...Deno.readDirSync(VALUES)].map(({ name }) => name.replace(/\.yaml$/, "")).sort();
  return names.map((name) => ({ name, files: name in ADDITIONS ? [ADDITIONS[name]!, name] : [name] }));
}

/** The chart of a values file. */
export function chartOf(file: string): ChartName {
  return file.startsWith("cilium") ? "cilium" : "istio";
}

/** The text of a values file. */
export function valuesText(file: string): string {
  return Deno.readTextFileSync(`${VALUES}${file}.yaml`);
}

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

/** The objects of a text of YAML documents; documents without one are left out. */
export function objectsOf(text: string): KubernetesObject[] {
  return parseAllDocuments(text).map((document) => document.toJS() as KubernetesObject).filter((object) =>
    object !== null
  );
}

/** The text of objects, without the comments that they may have had. */
export function manifestText(objects: readonly unknown[]): string {
  return objects.map((object) => stringify(object, { lineWidth: 120, aliasDuplicateObjects: false })).join("---\n");
}

function folderOf(chart: ChartName): string {
  return `${dirname(HELM.path)}/charts/${chart}`;
}
