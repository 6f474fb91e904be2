/** What the charts render with our values, from `tests/fixtures/golden/charts/`, as the proxy's container sees it. */
import { objectsOf } from "../lab/istio/manifest_text.ts";

/** The parts of a rendered DaemonSet that tests read. */
interface RenderedPod {
  readonly labels: Readonly<Record<string, string>>;
  readonly containers: readonly RenderedContainer[];
  readonly volumes: readonly { readonly name: string }[];
}

/** The container of the proxy. */
interface RenderedContainer {
  readonly image: string;
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

const GOLDEN = new URL("../tests/fixtures/golden/charts/", import.meta.url);

/** The text of a golden file. `name`: that of the values file, without `.yaml`. */
export function goldenText(name: string): string {
  return Deno.readTextFileSync(new URL(`${name}.yaml`, GOLDEN));
}

/** The pod of the DaemonSet in a golden file. */
export function renderedPod(name: string): RenderedPod {
  const object = objectsOf(goldenText(name)).find(({ kind }) => kind === "DaemonSet");
  const { template } = (object as unknown as {
    spec: { template: { metadata: Pick<RenderedPod, "labels">; spec: Omit<RenderedPod, "labels"> } };
  }).spec;
  return { labels: template.metadata.labels, containers: template.spec.containers, volumes: template.spec.volumes };
}

/** The variables of a container. Those that Kubernetes fills in have a value that fits. */
export function environmentOf({ env }: RenderedContainer): Record<string, string> {
  return Object.fromEntries(env.map(({ name, value }) => [name, value ?? (name.endsWith("_IP") ? "10.0.0.1" : "1")]));
}
