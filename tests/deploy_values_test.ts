/**
 * `deploy/values/`: what the charts render with each file (`fixtures/golden/charts/`) is valid, and the proxy reads from
 * it what the name of the file says. `interop/charts_test.ts` compares the golden files with the charts.
 */
import { strict as assert } from "node:assert";
import { renderings } from "../lab/istio/values_files.ts";
import { PREFIXES, SETTINGS } from "../src/config/catalogue/settings.ts";
import type { Config } from "../src/config/config.ts";
import type { ConfigFiles } from "../src/config/files.ts";
import { parseConfig } from "../src/config/parse_config.ts";
import { environmentOf, renderedPod } from "../testkit/rendered_charts.ts";

/** Variables of the charts that are no settings of the proxy, and why they do no harm. */
const OF_OTHERS: Readonly<Record<string, string>> = {
  RUST_BACKTRACE: "for the Rust ztunnel",
  INPOD_ENABLED: "the Rust ztunnel ignores it too",
  OPENSSL_CONF: "for OpenSSL, which the proxy loads",
};
/** Paths that the image has. */
const IN_IMAGE = /^\/etc\/ssl\//;

/** A machine where every file exists. Only those with a content here are not empty. */
const FILES: ConfigFiles = {
  read: (path) => path === "/etc/resolv.conf" ? "nameserver 10.0.0.2" : path.endsWith("/disable_ipv6") ? "0" : null,
  exists: () => true,
};

const ISTIOD = "https://istiod.istio-system.svc:15012";
const CILIUM = "https://localhost:15012";

/** What the proxy must read from each file. */
const MEANINGS: Readonly<Record<string, (config: Config) => void>> = {
  "istio": ({ xds, ca, node, inpod }) => {
    assert.deepEqual([xds.address, ca.address, node.clusterId, node.network], [ISTIOD, ISTIOD, "Kubernetes", ""]);
    assert.equal(inpod.socketPath, "/var/run/ztunnel/ztunnel.sock");
  },
  "istio-spire-process": ({ spire }) => {
    assert.deepEqual([spire.enabled, spire.attestation], [true, "pid"]);
    assert.equal(spire.adminSocketPath, "/run/spire/admin/admin.sock");
    assert.deepEqual(spire.containerRuntimeSockets, ["/run/containerd/containerd.sock"]);
  },
  "istio-spire-selectors": ({ spire }) => assert.deepEqual([spire.enabled, spire.attestation], [true, "pod_selectors"]),
  "istio-spire-broker": ({ spire }) => {
    assert.equal(spire.broker?.attestation, "k8s_object");
    assert.equal(spire.broker.ownId, "spiffe://cluster.local/ns/istio-system/sa/ztunnel");
  },
  "istio-multicluster": ({ node }) => assert.deepEqual([node.clusterId, node.network], ["cluster1", "network1"]),
  "istio-crl": ({ tls }) => assert.equal(tls.crlPath, "/var/run/secrets/istio/crl/ca-crl.pem"),
  "istio-fips": ({ tls, spire, warnings }) => {
    assert.ok(tls.fips && spire.enabled);
    assert.match(warnings.join("\n"), /^COMPLIANCE_POLICY=fips-140-3 does not hold for \S+ \(XDS_ADDRESS\).*$/);
  },
  "cilium": ({ xds, inpod, spire, dnsEnabled }) => {
    assert.deepEqual([xds.address, inpod.socketPath], [CILIUM, "/var/run/cilium/ztunnel.sock"]);
    assert.deepEqual([spire.enabled, dnsEnabled], [false, false]);
  },
  "cilium-spire": ({ xds, spire }) => {
    assert.deepEqual([xds.address, spire.enabled, spire.attestation], [CILIUM, true, "pid"]);
  },
};

Deno.test("deploy: each values file has a meaning in this test", () => {
  assert.deepEqual(renderings().map(({ name }) => name).sort(), Object.keys(MEANINGS).sort());
});

for (const [name, check] of Object.entries(MEANINGS)) {
  const { containers, volumes } = renderedPod(name);
  const [container] = containers;
  const variables = environmentOf(container!);

  Deno.test(`deploy: ${name}.yaml sets variables that the proxy has, none of them twice`, () => {
    assert.equal(Object.keys(variables).length, container!.env.length, "a variable is set twice");
    const isKnown = (name: string) =>
      name in SETTINGS || name in OF_OTHERS || Object.keys(PREFIXES).some((prefix) => name.startsWith(prefix));
    assert.deepEqual(Object.keys(variables).filter((name) => !isKnown(name)), []);
  });

  Deno.test(`deploy: ${name}.yaml mounts the folder of each file and socket that a variable names`, () => {
    const mounts = container!.volumeMounts;
    for (const list of [volumes.map(({ name }) => name), mounts.map(({ mountPath }) => mountPath)]) {
      assert.equal(new Set(list).size, list.length, `something is twice in ${list}`);
    }
    assert.deepEqual(mounts.map(({ name }) => name).sort(), volumes.map(({ name }) => name).sort());
    const paths = Object.values(variables).flatMap((value) => /^(?:unix:\/\/)?(\/.*)$/.exec(value)?.[1] ?? []);
    for (const path of paths.filter((path) => !IN_IMAGE.test(path))) {
      assert.ok(mounts.some(({ mountPath }) => path.startsWith(`${mountPath}/`)), `${path} is in no volume`);
    }
  });

  Deno.test(`deploy: ${name}.yaml is a configuration that the proxy accepts, with the meaning of its name`, () => {
    const config = parseConfig(variables, FILES, 2);
    check(config);
    if (name !== "istio-fips") assert.deepEqual(config.warnings, []);
  });
}
