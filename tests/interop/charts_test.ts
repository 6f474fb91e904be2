/** `deploy/values/` with the charts of Istio and Cilium, rendered by helm. `deploy_test.ts` checks what they render. */
import { strict as assert } from "node:assert";
import { parse } from "yaml";
import { defaultValues, HELM, renderChart } from "../../lab/istio/charts.ts";
import { manifestText } from "../../lab/istio/manifest_text.ts";
import { chartOf, renderings, valuesText } from "../../lab/istio/values_files.ts";
import { plan } from "../../lab/needs.ts";
import { factsOf } from "../../testkit/manifest_facts.ts";
import { unknownKeys } from "../../testkit/helm_values.ts";

const GOLDEN = new URL("../fixtures/golden/charts/", import.meta.url);

function testWithHelm(name: string, fn: (t: Deno.TestContext) => Promise<void>): void {
  Deno.test(plan(HELM.lacks(), name, fn, Deno.env.get("CI") === "true"));
}

testWithHelm("charts: each values file renders its golden file (`deno task manifests` makes them)", async (t) => {
  for (const { name, files } of renderings()) {
    await t.step(name, async () => {
      const golden = Deno.readTextFileSync(new URL(`${name}.yaml`, GOLDEN));
      assert.equal(manifestText(await renderChart(files)), golden);
    });
  }
});

testWithHelm("charts: each key of the values files exists in the chart", async (t) => {
  for (const { name } of renderings()) {
    await t.step(name, () => {
      assert.deepEqual(unknownKeys(parse(valuesText(name)), defaultValues(chartOf(name))), []);
    });
  }
});

testWithHelm("charts: values files that can be combined lose nothing", async () => {
  const files = ["istio-spire-process", "istio-multicluster", "istio-crl", "istio-fips"];
  const daemonSet = (await renderChart(files)).find(({ kind }) => kind === "DaemonSet");
  const names = Object.keys(factsOf(daemonSet)).map((name) => name.replace("spec.template.spec.", ""));
  for (const variable of ["SPIRE_ENABLED", "NETWORK", "CRL_PATH", "COMPLIANCE_POLICY"]) {
    assert.ok(names.includes(`containers[istio-proxy].env[${variable}].value`), variable);
  }
  for (const volume of ["spire-admin", "crl-volume", "compiled-code"]) {
    assert.ok(names.includes(`volumes[${volume}].name`), volume);
  }
});

testWithHelm("charts: Cilium's operator reaches SPIRE, and writes entries for the proxy's trust domain", async () => {
  const objects = await renderChart(["cilium-spire"], true);
  const config = objects.find(({ kind, metadata }) => kind === "ConfigMap" && metadata.name === "cilium-config");
  const { data } = config as unknown as { data: Record<string, string> };
  assert.equal(data["enable-ztunnel"], "true");
  assert.equal(data["ztunnel-ca-type"], "spire");
  assert.equal(data["mesh-auth-spiffe-trust-domain"], "cluster.local");
  const operator = objects.find(({ kind, metadata }) => kind === "Deployment" && metadata.name === "cilium-operator");
  const socket = data["mesh-auth-spire-agent-socket"]!;
  assert.equal(socket, "/run/spire/sockets/agent.sock");
  const mounts = Object.entries(factsOf(operator)).filter(([name]) => name.endsWith("[spire-sockets].mountPath"));
  assert.deepEqual(mounts.map(([, value]) => value), ["/run/spire/sockets"]);
});
