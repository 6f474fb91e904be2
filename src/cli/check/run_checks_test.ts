import { strict as assert } from "node:assert";
import { encodePem } from "../../identity/pem.ts";
import { makeCa } from "../../identity/testkit/certificates.ts";
import { files, lines, machine, NOW } from "../testkit/machine.ts";
import { reportText } from "./report_text.ts";
import { runChecks } from "./run_checks.ts";

const ROOT = makeCa("Root", { notBefore: NOW - 1000, notAfter: NOW + 1000 });
const TEXTS = {
  "./var/run/secrets/istio/root-cert.pem": encodePem("CERTIFICATE", ROOT.certificate),
  "./var/run/secrets/tokens/istio-token": "opaque",
};

function checks(variables: Record<string, string>, on = machine({}, TEXTS)) {
  return runChecks({ variables: { IPV6_ENABLED: "false", ...variables }, files: files(TEXTS), cpus: 2 }, on);
}

Deno.test("check: on a healthy node everything is in order, one line each", async () => {
  const report = await checks({ KUBERNETES_SERVICE_HOST: "10.96.0.1" });
  assert.deepEqual(lines(report.checks).map((line) => line.split(": ")[0]), [
    "ok configuration",
    "ok descriptors",
    "ok capabilities",
    "ok port",
    "ok CNI agent",
    "ok token",
    "ok TLS library",
    "ok XDS_ROOT_CA, CA_ROOT_CA",
    "ok clock",
    "ok control plane",
    "ok CA",
  ]);
  assert.match(reportText(report), /^ {2}XDS_ADDRESS +default +https:\/\/istiod\.istio-system\.svc:15012$/m);
  assert.match(reportText(report), /\n\nNo problem was found\n$/);
});

Deno.test("check: a configuration that cannot be used is a problem, and the machine is not checked for it", async () => {
  const report = await checks({ PROXY_MODE: "both", LOG_FORMAT: "JSON" });
  assert.deepEqual(lines(report.checks).map((line) => line.split("; cure")[0]), [
    "problem configuration: invalid env var PROXY_MODE=both (PROXY_MODE must be one of dedicated, shared)",
    "problem variable: LOG_FORMAT=JSON (only exactly json switches it on) has no effect",
    "ok descriptors: 1024, raised to 1048576 at the start",
  ]);
  assert.match(reportText(report), /^ {2}PROXY_MODE +environment +both$/m);
  assert.match(reportText(report), /\n\n2 problems\n$/);
});

Deno.test("check: warnings of a start are notes, and what Istio's CA needs is not checked with FAKE_CA", async () => {
  const report = await checks({ FAKE_CA: "true", XDS_ADDRESS: "" });
  const found = lines(report.checks);
  assert.ok(found.some((line) => line.startsWith("note configuration: FAKE_CA=true: ")));
  assert.ok(!found.some((line) => /token|ROOT_CA| CA:/.test(line)), found.join("\n"));
});

Deno.test("check: few descriptors and no TLS library are problems", async () => {
  const facts = { descriptors: { soft: 512, hard: 512 }, tlsLibrary: () => ({ problem: "no usable TLS library" }) };
  const report = await checks({ KUBERNETES_SERVICE_HOST: "x" }, machine(facts, TEXTS));
  assert.deepEqual(report.checks.filter(({ state }) => state === "problem").map(({ text }) => text), [
    "at most 512 can be open, which is enough for 256 connections",
    "no usable TLS library",
  ]);
});

Deno.test("check: problems are the last lines, each one line with its cure", async () => {
  const on = machine({ reachProblem: () => Promise.resolve("refused\n  by all") }, TEXTS);
  const text = reportText(await checks({ KUBERNETES_SERVICE_HOST: "x" }, on));
  const last = text.trim().split("\n").slice(-4);
  assert.match(last[0]!, /^ {2}PROBLEM {2}control plane +.*: refused by all; cure: is the server running there/);
  assert.match(last[1]!, /^ {2}PROBLEM {2}CA /);
  assert.deepEqual(last.slice(2), ["", "2 problems"]);
});

Deno.test("check: a filter that is none, and no address of a CA", async () => {
  const report = await checks({ RUST_LOG: "a=b=c", CA_ADDRESS: "", XDS_ADDRESS: "" });
  const problems = lines(report.checks).filter((line) => line.startsWith("problem"));
  assert.match(
    problems[0]!,
    /^problem RUST_LOG: invalid filter directive: too many '='.*; cure: write level or target=level/,
  );
  assert.match(problems[1]!, /^problem CA: .*set CA_ADDRESS; cure: set CA_ADDRESS$/);
  assert.equal(problems.length, 2);
});
