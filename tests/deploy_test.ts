/** Checks what `deploy/` has besides the values files, and that the `Dockerfile` pins all versions. */
import { strict as assert } from "node:assert";
import { parseEnv } from "node:util";
import { objectsOf } from "../lab/istio/manifest_text.ts";
import { plainManifest } from "../lab/istio/plain_manifest.ts";
import { eventually } from "../lab/eventually.ts";
import { identityOf, meshText } from "../lab/mesh.ts";
import { testNeeding } from "../lab/needs.ts";
import { Program, run } from "../lab/program.ts";
import { Proxy } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";
import { parseStrace } from "../lab/strace.ts";
import { tempDir } from "../lab/temp_dir.ts";
import { SOURCE_VERSION } from "../src/config/build.ts";
import { SETTINGS } from "../src/config/catalogue/settings.ts";
import { parseConfig } from "../src/config/parse_config.ts";
import { echoApp } from "../testkit/apps.ts";
import { credential, sharedCa } from "../testkit/credentials.ts";
import { HbonePeer } from "../testkit/hbone_peer.ts";
import { type Facts, factsOf } from "../testkit/manifest_facts.ts";
import { goldenText, renderedPod } from "../testkit/rendered_charts.ts";

const DEPLOY = new URL("../deploy/", import.meta.url);
const read = (name: string): string => Deno.readTextFileSync(new URL(name, DEPLOY));

/** The facts of the objects in a file of `deploy/`, by their names. */
function objects(file: string): Map<string, Facts> {
  return new Map(objectsOf(read(file)).map((object) => [`${object.kind} ${object.metadata.name}`, factsOf(object)]));
}

Deno.test("deploy: the plain manifest is what Istio's chart renders, with the changes that its beginning lists", () => {
  const rendered = objectsOf(goldenText("istio"));
  const made = plainManifest(rendered, "deploy/values/istio.yaml", "deploy/ztunnel.yaml", `ztunnel:${SOURCE_VERSION}`);
  assert.equal(read("ztunnel.yaml"), made, "`deno task manifests` makes it");
});

Deno.test("deploy: the plain manifest has a version, the default seccomp profile and no token that is not used", () => {
  const facts = objects("ztunnel.yaml").get("DaemonSet ztunnel")!;
  const pod = "spec.template.spec";
  assert.match(String(facts[`${pod}.containers[istio-proxy].image`]), /^ztunnel(:\d+\.\d+\.\d+|@sha256:[0-9a-f]{64})$/);
  assert.equal(facts[`${pod}.securityContext.seccompProfile.type`], "RuntimeDefault");
  assert.equal(facts[`${pod}.automountServiceAccountToken`], false);
  assert.equal(Object.keys(facts).filter((name) => /RUST_BACKTRACE|INPOD_ENABLED|helm/.test(name)).length, 0);
});

Deno.test("deploy: the image is built from bases pinned by digest, and contains its version", () => {
  const lines = read("../Dockerfile").split("\n");
  const bases = lines.filter((line) => line.startsWith("FROM "));
  assert.equal(bases.length, 2);
  for (const line of bases) assert.match(line, /^FROM debian:13-slim@\$\{DEBIAN_DIGEST\}( AS build)?$/);
  // There is no default, so a build without a version is refused.
  assert.ok(lines.includes("ARG DEBIAN_DIGEST"));
  assert.ok(lines.includes("ENV ISTIO_META_ISTIO_VERSION=${ISTIO_VERSION}"));
});

Deno.test("deploy: PodMonitor, NetworkPolicy and ClusterSPIFFEIDs select the pods of the charts", () => {
  const labels = { istio: renderedPod("istio").labels, cilium: renderedPod("cilium").labels };
  const monitor = objects("monitoring/pod-monitor.yaml").get("PodMonitor ztunnel")!;
  const selected = Object.keys(monitor).filter((name) => name.startsWith("spec.selector"));
  for (const { app } of [labels.istio, labels.cilium]) {
    assert.ok(selected.some((name) => name.includes(`"values[${app}]"`)), `${app} is not selected by ${selected}`);
  }
  const policy = objects("network-policy.yaml").get("NetworkPolicy ztunnel")!;
  assert.equal(policy["spec.podSelector.matchLabels.app"], labels.istio["app"]);
  const istio = objects("spire/mesh-ids.yaml").get("ClusterSPIFFEID ztunnel")!;
  assert.equal(istio["spec.podSelector.matchLabels.app"], labels.istio["app"]);
  const cilium = objects("spire/cilium-ids.yaml").get("ClusterSPIFFEID ztunnel-cilium")!;
  assert.equal(cilium["spec.podSelector.matchLabels.app"], labels.cilium["app"]);
});

Deno.test("deploy: entries.sh registers the same ids and pods as the ClusterSPIFFEIDs", async () => {
  const entries = async (...args: string[]) => {
    const env = { SPIRE_SERVER: "echo" };
    await using script = new Program(new URL("spire/entries.sh", DEPLOY).pathname, { args, env });
    const { code, output } = await script.ended();
    return { code, lines: output.trim().split("\n") };
  };
  const parent =
    "entry create -parentID spiffe://cluster.local/ns/spire/sa/spire-agent -spiffeID spiffe://cluster.local";
  assert.deepEqual(await entries("istio", "shop/cart"), {
    code: 0,
    lines: [
      `${parent}/ns/istio-system/sa/ztunnel -selector k8s:ns:istio-system -selector k8s:sa:ztunnel`,
      `${parent}/ns/shop/sa/cart -selector k8s:ns:shop -selector k8s:sa:cart`,
    ],
  });
  assert.deepEqual(await entries("cilium"), {
    code: 0,
    lines: [
      `${parent}/ztunnel -selector k8s:ns:kube-system -selector k8s:sa:ztunnel-cilium`,
      `${parent}/cilium-operator -selector k8s:ns:kube-system -selector k8s:sa:cilium-operator -admin`,
    ],
  });
  assert.equal((await entries()).code, 2);
});

Deno.test("deploy: the settings for a virtual machine are known and accepted", () => {
  const variables = parseEnv(read("vm/ztunnel.env")) as Record<string, string>;
  assert.deepEqual(Object.keys(variables).filter((name) => !(name in SETTINGS) && !name.startsWith("ISTIO_META_")), []);
  const files = {
    read: (path: string) =>
      path === "/etc/resolv.conf" ? "nameserver 192.0.2.2" : path.startsWith("/proc") ? "0" : null,
    exists: () => true,
  };
  const { mode, workload, token, warnings } = parseConfig(variables, files, 2);
  assert.equal(mode, "dedicated");
  assert.deepEqual(workload, { namespace: "vms", name: "vm-1", serviceAccount: "legacy" });
  assert.deepEqual(token, { kind: "file", path: "/etc/ztunnel/istio-token" });
  assert.deepEqual(warnings, []);
});

testNeeding({ packages: ["systemd-analyze"] }, "deploy: systemd finds no mistake in the unit", async () => {
  using dir = tempDir();
  // It checks that the program exists, too.
  const unit = read("vm/ztunnel.service").replaceAll("/usr/local/bin/ztunnel", "/bin/true");
  const output = await run("systemd-analyze", "verify", dir.write("ztunnel.service", unit));
  assert.deepEqual(output.split("\n").filter((line) => line.includes("ztunnel")), []);
});

/** The system calls of a group of systemd's filters, with those of the groups in it. */
async function callsOf(group: string): Promise<string[]> {
  const lines = (await run("systemd-analyze", "syscall-filter", group)).split("\n").slice(1).map((line) => line.trim());
  const names = lines.filter((line) => /^@?[a-z]/.test(line));
  return (await Promise.all(names.map((name) => name.startsWith("@") ? callsOf(name) : [name]))).flat();
}

testNeeding(
  { packages: ["strace", "systemd-analyze"] },
  "deploy: the unit allows every system call of a start, a connection and an end",
  async () => {
    using folder = tempDir();
    const summary = `${folder.path}/calls`;
    const ip = "127.28.0.3";
    await using app = echoApp(ip);
    const mesh = meshText([{ name: "b", ips: [ip] }]);
    // The tracer is a process of its own (-D), so that the signal reaches the proxy.
    const before = ["strace", "-D", "-f", "-qq", "-c", "-o", summary];
    await using proxy = await Proxy.ready(nodeSettings({ name: "b", ip, mesh, folder: folder.path }), { before });
    const caller = credential(sharedCa(folder.path), identityOf("a"));
    {
      await using peer = await HbonePeer.connect(await proxy.place("inbound"), caller);
      const tunnel = await peer.tunnel(app.authority);
      tunnel.send("hello");
      assert.equal(await tunnel.read(5), "hello");
    }
    await proxy.program.stop();
    const text = await eventually("the tracer's summary", () => {
      const text = Deno.readTextFileSync(summary);
      return text.includes(" total") && text;
    });
    const used = [...parseStrace(text).keys()];
    assert.ok(used.includes("listen"), text);
    const groups = /^SystemCallFilter=(.*)$/m.exec(read("vm/ztunnel.service"))![1]!.split(" ");
    const allowed = new Set((await Promise.all(groups.map(callsOf))).flat());
    assert.deepEqual(used.filter((name) => !allowed.has(name)), []);
  },
);
