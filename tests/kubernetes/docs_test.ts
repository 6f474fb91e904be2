/**
 * The commands on the pages for operators that need a cluster (`testkit/documents/commands.ts`, mark `cluster`), in a real
 * Kubernetes with Istio, in the order of the pages.
 */
import { strict as assert } from "node:assert";
import { dirname } from "node:path";
import { HELM } from "../../lab/istio/charts.ts";
import { testWithKubernetes } from "../../lab/kubernetes/built.ts";
import { KubernetesCluster } from "../../lab/kubernetes/cluster.ts";
import { installIstio, installProxy, productImage } from "../../lab/kubernetes/istio.ts";
import { NODES } from "../../lab/kubernetes/nodes.ts";
import { pageCommands, PAGES } from "../../testkit/documents/pages.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
/** The image that the pages name, and its next version. */
const IMAGE = "registry.example.com/ztunnel:1.0.0";
const NEXT_IMAGE = "registry.example.com/ztunnel:1.0.1";

testWithKubernetes({}, "kubernetes: the commands on the pages for operators work", async (t) => {
  await using cluster = await KubernetesCluster.start();
  const image = await productImage(cluster, IMAGE);
  await installIstio(cluster);
  await installProxy(cluster, image);
  for (const node of NODES) await cluster.onNode(node, "ctr", "-n", "k8s.io", "images", "tag", IMAGE, NEXT_IMAGE);
  await installIstio(cluster, "next");
  const run = shell(cluster);
  for (const page of PAGES) {
    const commands = pageCommands(page).commands.filter(({ mark, isInline, script }) =>
      mark === "cluster" && !(isInline && isName(script))
    );
    if (commands.length > 0) {
      await t.step(page, async () => {
        for (const { script, exitCode } of commands) {
          assert.equal(exitCode, 0);
          for (const command of commandLines(script)) {
            const [, namespace, workload] = command.match(/^kubectl rollout status -n (\S+) (\S+)$/) ?? [];
            if (workload === undefined) await run(command);
            else await cluster.rolledOut(namespace!, workload);
          }
        }
      });
    }
  }
});

/** The commands of a script, of which each has a limit of its own. */
function commandLines(script: string): string[] {
  return script.split(/(?<!\\)\n/).filter((line) => line.trim() !== "");
}

/** Whether a command in a sentence is a name, or has a placeholder such as `POD` or `ztunnel-…`. */
function isName(script: string): boolean {
  return script.split(" ").length < 4 || /\b[A-Z]{2,}\b|…|\.\.\./.test(script);
}

/** Returns what runs a script as on a machine where helm, kubectl and istioctl are installed; it throws unless that succeeds. */
function shell(cluster: KubernetesCluster): (script: string) => Promise<string> {
  const folder = `${cluster.folder}/docs`;
  Deno.mkdirSync(`${folder}/bin`, { recursive: true });
  Deno.symlinkSync(`${ROOT}deploy`, `${folder}/deploy`);
  for (const name of ["kubectl", "istioctl"]) {
    Deno.symlinkSync(`${cluster.built}/bin/${name}`, `${folder}/bin/${name}`);
  }
  // The repository of charts is a folder here.
  const helm = `#!/bin/bash\nexec ${HELM.path} "\${@/#istio\\/ztunnel/${dirname(HELM.path)}/charts/istio}"\n`;
  Deno.writeTextFileSync(`${folder}/bin/helm`, helm, { mode: 0o755 });
  const env = [`PATH=${folder}/bin:${Deno.env.get("PATH") ?? ""}`, `KUBECONFIG=${cluster.kubeconfig}`];
  return (script) => cluster.onControlPlane("env", "-C", folder, ...env, "bash", "-euo", "pipefail", "-c", script);
}
