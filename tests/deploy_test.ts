/** Checks `deploy/` and the `Dockerfile`: equal to Istio's chart but for known differences, and all versions pinned. */
import { strict as assert } from "node:assert";
import { parseAllDocuments } from "yaml";
import { type Facts, factsOf } from "../testkit/manifest_facts.ts";

/**
 * What the chart `ztunnel` of Istio renders with default values, as facts (release `ztunnel`, namespace `istio-system`;
 * `istio.io/istio` at the version in `tests/peers/istiod/go.mod`).
 */
import CHART from "./fixtures/golden/istio_ztunnel_chart.json" with { type: "json" };

const POD = "spec.template.spec";
const CONTAINER = `${POD}.containers[istio-proxy]`;

/** Facts that differ from the chart, by full name or by the part before a dot, with the reason. */
const DIFFERENCES: Readonly<Record<string, string>> = {
  "metadata.annotations": "the chart writes an empty object",
  "metadata.labels.app.kubernetes.io/managed-by": "Helm does not manage it",
  "metadata.labels.app.kubernetes.io/instance": "as before",
  "metadata.labels.app.kubernetes.io/version": "as before",
  "metadata.labels.helm.sh/chart": "as before",
  "spec.template.metadata.labels.app.kubernetes.io/managed-by": "as before",
  "spec.template.metadata.labels.app.kubernetes.io/instance": "as before",
  "spec.template.metadata.labels.app.kubernetes.io/version": "as before",
  "spec.template.metadata.labels.helm.sh/chart": "as before",
  [`${POD}.automountServiceAccountToken`]: "the API server is never called, so there is no token to steal",
  [`${POD}.securityContext.seccompProfile.type`]: "system calls that no container needs are forbidden",
  [`${CONTAINER}.image`]: "it is our image",
  [`${CONTAINER}.imagePullPolicy`]: "explicit, so that a change of the tag's form does not change it",
  [`${CONTAINER}.volumeMounts[compiled-code]`]: "a start with compiled code at hand takes 0.2 s of CPU less",
  [`${POD}.volumes[compiled-code]`]: "as before",
  [`${CONTAINER}.env[RUST_BACKTRACE]`]: "no Rust; the runtime would add an empty stack to each error",
  [`${CONTAINER}.env[INPOD_ENABLED]`]: "the Rust ztunnel ignores it too",
};

function manifest(): Map<string, Facts> {
  const text = Deno.readTextFileSync(new URL("../deploy/ztunnel.yaml", import.meta.url));
  return new Map(
    parseAllDocuments(text).map((document) => {
      const object = document.toJS() as { kind: string };
      return [object.kind, factsOf(object)];
    }),
  );
}

Deno.test("deploy: the manifest equals what Istio's chart renders, except for the differences listed here", () => {
  const ours = manifest();
  const used = new Set<string>();
  for (const [kind, chart] of Object.entries(CHART)) {
    const mine = ours.get(kind) ?? {};
    const theirs: Facts = chart;
    for (const name of new Set([...Object.keys(mine), ...Object.keys(theirs)])) {
      if (mine[name] === theirs[name]) continue;
      const known = Object.keys(DIFFERENCES).find((start) => name === start || name.startsWith(`${start}.`));
      assert.ok(known !== undefined, `${kind} ${name} is ${mine[name]}, and the chart has ${theirs[name]}`);
      used.add(known);
    }
  }
  assert.deepEqual([...used].sort(), Object.keys(DIFFERENCES).sort());
});

Deno.test("deploy: the image has a version, the default seccomp profile and no token that is not used", () => {
  const facts = manifest().get("DaemonSet")!;
  assert.match(String(facts[`${CONTAINER}.image`]), /^ztunnel(:\d+\.\d+\.\d+|@sha256:[0-9a-f]{64})$/);
  assert.equal(facts[`${POD}.securityContext.seccompProfile.type`], "RuntimeDefault");
  assert.equal(facts[`${POD}.automountServiceAccountToken`], false);
});

Deno.test("deploy: the image is built from bases pinned by digest, and contains its version", () => {
  const lines = Deno.readTextFileSync(new URL("../Dockerfile", import.meta.url)).split("\n");
  const bases = lines.filter((line) => line.startsWith("FROM "));
  assert.equal(bases.length, 2);
  for (const line of bases) assert.match(line, /^FROM debian:13-slim@\$\{DEBIAN_DIGEST\}( AS build)?$/);
  // There is no default, so a build without a version is refused.
  assert.ok(lines.includes("ARG DEBIAN_DIGEST"));
  assert.ok(lines.includes("ENV ISTIO_META_ISTIO_VERSION=${ISTIO_VERSION}"));
});
