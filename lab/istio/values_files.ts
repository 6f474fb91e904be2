/** The values files in `deploy/values/`, and the charts that they are for. */

/** The folder, ending in a slash. */
export const VALUES = new URL("../../deploy/values/", import.meta.url).pathname;

/** A chart, by the first word of the names of its values files. */
export type ChartName = "istio" | "cilium";

/** Values files that have to be added to another one, which has the image. */
const ADDITIONS: Readonly<Record<string, string>> = {
  "istio-multicluster": "istio",
  "istio-crl": "istio",
  "istio-fips": "istio-spire-process",
};

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
