/** The sources of what the dashboard shows. */
import type { DashboardSources } from "../admin/dashboard_routes.ts";
import type { PodsOverview } from "../admin/pods_route.ts";
import { BUILD } from "../config/build.ts";
import type { Config } from "../config/config.ts";
import { serverPort } from "../config/own_ports.ts";
import type { Certificates } from "../control/certificates/certificates.ts";
import { authorityKind } from "../control/certificates/make_authority.ts";
import type { MeshSource } from "../control/mesh/mesh_source.ts";
import type { NodePods } from "../control/pods/node_pods.ts";
import type { Workers } from "../control/workers/workers.ts";
import type { PolicyRow } from "../dataplane/policy_rows.ts";
import type { CertificateHealth } from "../identity/certificate_health.ts";
import { SYSTEM_CLOCK } from "../net/clock.ts";
import { processCpuSeconds } from "../telemetry/process_metrics.ts";
import type { Readiness } from "../telemetry/readiness.ts";
import type { TrafficPair } from "../telemetry/traffic_pairs.ts";
import { sumFigures } from "../telemetry/worker_figures.ts";
import { residentBytes } from "../os/memory.ts";
import { NodeSampler } from "./node_sampler.ts";

interface DashboardParts {
  readonly config: Config;
  readonly certificates: Certificates;
  readonly health: CertificateHealth;
  readonly mesh: MeshSource;
  readonly workers: Workers;
  readonly readiness: Readiness;
  /** Null in dedicated mode, and before pods are taken. */
  readonly pods: () => NodePods | null;
}

/** The samples of a node. The caller starts and stops it. */
export function nodeSampler(config: Config, workers: Workers): NodeSampler {
  return new NodeSampler({
    clock: SYSTEM_CLOCK,
    workers: config.workerThreads,
    figures: async () => sumFigures((await workers.figures()).map(({ figures }) => figures)),
    process: () => ({ cpu: processCpuSeconds(), resident: residentBytes() }),
  });
}

/** Connects the dashboard with the parts that have its data. */
export function dashboardSources(parts: DashboardParts, samples: NodeSampler): DashboardSources {
  const { certificates, workers } = parts;
  return {
    samples,
    node: () => describeNode(parts),
    pairs: () => pairsOf(workers),
    pods: () => podsOverview(parts),
    policies: (search, most) =>
      Promise.all(workers.all.map(({ flows }) => {
        return rowsOf<PolicyRow>(flows.lines({ what: "policies", search, most }));
      })),
    certificates: () => certificates.statuses(),
    clock: SYSTEM_CLOCK,
    now: () => performance.now(),
  };
}

async function describeNode(parts: DashboardParts): Promise<object> {
  const { config, certificates, health, mesh, workers, readiness } = parts;
  const states = { initializing: 0, available: 0, unavailable: 0 };
  let failing = 0, firstExpiry: number | null = null;
  for (const { state, lastError } of certificates.statuses()) {
    states[state.at]++;
    if (state.at === "unavailable" || lastError !== null) failing++;
    if (state.at === "available") firstExpiry = Math.min(firstExpiry ?? Infinity, state.certificate.notAfter);
  }
  const [first] = await workers.figures();
  const { pods, differences } = podsOverview(parts);
  return {
    time: Date.now(),
    name: config.node.name,
    mode: config.mode,
    version: BUILD.version,
    revision: BUILD.gitRevision,
    runtime: `deno ${Deno.version.deno}`,
    startedAt: performance.timeOrigin,
    workers: config.workerThreads,
    ready: { pending: readiness.pending(), trouble: readiness.trouble()?.text ?? null },
    mesh: first?.mesh ?? null,
    controlPlane: mesh.controlPlane,
    authority: {
      kind: authorityKind(config),
      address: authorityKind(config) === "istio" ? config.ca.address : null,
      awaySince: certificates.awaySince,
      noneSince: health.noneSince,
    },
    certificates: { ...states, failing, firstExpiry },
    pods: {
      up: pods.filter(({ state }) => state === "Up").length,
      pending: pods.filter(({ state }) => state === "Pending").length,
      differences: differences.length + pods.reduce((sum, pod) => sum + pod.differences.length, 0),
    },
  };
}

function podsOverview({ config, pods, readiness }: DashboardParts): PodsOverview {
  const listeners = listenersOf(config);
  if (config.workload !== null) {
    const state = readiness.pending().includes("proxy") ? "Pending" : "Up";
    return { pods: [{ uid: null, ...config.workload, state, differences: [] }], listeners, differences: [] };
  }
  const overview = pods()?.overview ?? { pods: [], differences: [] };
  const known = new Set<string>(overview.pods.map(({ uid }) => uid));
  const textsOf = (wanted: string | null) =>
    overview.differences.filter(({ uid }) => uid === wanted).map(({ text }) => text);
  return {
    pods: overview.pods.map(({ uid, workload, state }) => ({ uid, ...workload, state, differences: textsOf(uid) })),
    listeners,
    differences: overview.differences.filter(({ uid }) => uid === null || !known.has(uid)).map(({ text }) => text),
  };
}

/** Ports that are 0 were chosen by the kernel, and are in the log. */
function listenersOf({ proxyEnabled, dnsEnabled, listeners }: Config): PodsOverview["listeners"] {
  const { outbound, inboundPlaintext, inbound, socks5, dns } = listeners;
  return [
    ...proxyEnabled
      ? [
        { name: "outbound", port: outbound.port },
        { name: "inbound without HBONE", port: inboundPlaintext.port },
        { name: "inbound HBONE", port: inbound.port },
      ]
      : [],
    ...socks5 === null ? [] : [{ name: "SOCKS5", port: socks5.port }],
    ...dnsEnabled ? [{ name: "DNS", port: serverPort(dns) }] : [],
  ];
}

async function* pairsOf(workers: Workers): AsyncGenerator<TrafficPair, void, undefined> {
  for (const { flows } of workers.all) yield* await rowsOf<TrafficPair>(flows.lines({ what: "pairs" }));
}

async function rowsOf<Row>(lines: AsyncIterable<string>): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const line of lines) rows.push(JSON.parse(line) as Row);
  return rows;
}
