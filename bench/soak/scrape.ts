/** What a proxy reports of itself: `/metrics`, `/config_dump` and `/explain`, read in its namespace. */
import { parseSample, sumOf } from "../../lab/scrape.ts";
import type { Reading } from "./figures.ts";
import type { SoakProxy } from "./scene.ts";

interface Dump {
  readonly workloads: readonly unknown[];
  readonly services: readonly unknown[];
  readonly policies: readonly unknown[];
  readonly certificates: readonly unknown[];
  readonly workloadState?: Readonly<Record<string, PodState>>;
}

interface PodState {
  readonly connections?: { readonly inbound: readonly unknown[]; readonly outbound: readonly unknown[] };
}

/** Reads all three. Throws where one of them does not answer. `folder`: for the answers. */
export async function scrape(proxy: SoakProxy, folder: string): Promise<Reading> {
  const { proxy: process, namespace, question } = proxy;
  const urls = [
    await process.url("stats", "/metrics"),
    await process.url("admin", "/config_dump"),
    await process.url("admin", `/explain?${question}`),
  ];
  const files = urls.map((_, index) => `${folder}/answer-${process.pid}-${index}`);
  const outputs = urls.flatMap((url, index) => ["-o", files[index]!, url]);
  await namespace.run("curl", "-sS", "--fail", "--max-time", "30", ...outputs);
  const [metrics = "", dump = "", explanation = ""] = files.map((file) => Deno.readTextFileSync(file));
  if (!("explanation" in JSON.parse(explanation))) throw new Error(`${proxy.name}: /explain answers ${explanation}`);
  return { ...ofMetrics(metrics), ...ofDump(JSON.parse(dump)) };
}

function ofMetrics(text: string): Reading {
  const samples = text.split("\n").map(parseSample).filter((sample) => sample !== null);
  return { series: samples.length, sockets: sumOf(samples, "istio_tcp_sockets_open", {}) };
}

function ofDump({ workloads, services, policies, certificates, workloadState }: Dump): Reading {
  const pods = workloadState === undefined ? null : Object.values(workloadState);
  return {
    mesh: workloads.length + services.length + policies.length,
    certificates: certificates.length,
    ...pods !== null && { table: pods.reduce((sum, pod) => sum + connectionsOf(pod), 0) },
  };
}

function connectionsOf({ connections }: PodState): number {
  return connections === undefined ? 0 : connections.inbound.length + connections.outbound.length;
}
