/**
 * Renders the charts with `deploy/values/` into `tests/fixtures/golden/charts/`, and makes `deploy/ztunnel.yaml` from
 * that of `istio.yaml`. Run it after a change of a values file or of a chart's version, and read the difference.
 */
import { renderChart } from "../lab/istio/charts.ts";
import { manifestText } from "../lab/istio/manifest_text.ts";
import { plainManifest } from "../lab/istio/plain_manifest.ts";
import { renderings } from "../lab/istio/values_files.ts";
import { SOURCE_VERSION } from "../src/config/build.ts";

const root = new URL("..", import.meta.url).pathname;
const golden = `${root}tests/fixtures/golden/charts`;
await Deno.mkdir(golden, { recursive: true });
for (const { name, files } of renderings()) {
  const rendered = await renderChart(files);
  await Deno.writeTextFile(`${golden}/${name}.yaml`, manifestText(rendered));
  if (name !== "istio") continue;
  const plain = plainManifest(rendered, "deploy/values/istio.yaml", "deploy/ztunnel.yaml", `ztunnel:${SOURCE_VERSION}`);
  await Deno.writeTextFile(`${root}deploy/ztunnel.yaml`, plain);
}
