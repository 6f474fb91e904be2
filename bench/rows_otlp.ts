/** What it costs to export connections by OTLP, for whole proxies. */
import { parseSample, sumOf } from "../lab/scrape.ts";
import { busySeconds } from "./cpu.ts";
import type { Variant } from "./pair.ts";
import { sleep, waitForLog } from "./processes.ts";
import type { Side } from "./rig.ts";
import { type Metric, oneByOne, type Plan, type Row, type RunContext, type Sample } from "./row.ts";
import { script } from "./script.ts";
import type { Subject } from "./subject.ts";

const SIDES: readonly Side[] = ["client", "server"];
const PORT = 4318;
const START_MILLIS = 10_000;
const CONNECTIONS = 16;
/** Runs of each kind in turn; the one before them lets the runtime compile the path. */
const RUNS = 3;
/** Until the last batch of a run is sent. */
const REST_MILLIS = 1500;

const lower = (id: string, title: string, unit: string): Metric => ({ id, title, unit, better: "lower" });
const exported = (id: string): Metric => ({
  id,
  title: "  records exported for each connection and proxy",
  unit: "",
  better: "higher",
});

const otlp: Row = {
  id: "otlp",
  title: "new connections that are exported by OTLP to a collector on the same node",
  metrics: [
    lower("cpu", "CPU for each new connection, both proxies", "us"),
    lower("logs", "  with access logs by OTLP", "us"),
    lower("logsRatio", "  relative to that without", ""),
    exported("logsExported"),
    lower("spans", "  with access logs and spans by OTLP", "us"),
    lower("spansRatio", "  relative to that without", ""),
    exported("spansExported"),
  ],
  once: false,
  quick: false,
  measure: oneByOne(cost),
};

/** A collector on each side, and what is exported to it. */
function exporting(env: Readonly<Record<string, string>>): Variant {
  return {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${PORT}`, OTEL_BSP_SCHEDULE_DELAY: "1000", ...env },
    async prepare({ processes, link }) {
      for (const side of SIDES) {
        const collector = processes.start("collector", [...link.inside(side), ...script("collector.ts", `${PORT}`)]);
        await waitForLog(collector, /ready/, START_MILLIS);
      }
      return {};
    },
  };
}

const VARIANTS: readonly Variant[] = [{}, exporting({ OTEL_TRACES_EXPORTER: "none" }), exporting({})];

/** The Rust ztunnel exports spans only where it is built for it. */
async function cost(subject: Subject, plan: Plan, run: RunContext): Promise<Sample> {
  if (!subject.id.startsWith("ours")) return {};
  const pairs: Subject[] = [];
  try {
    for (const variant of VARIANTS) {
      const pair = await run.another(subject, variant);
      if (pair === null) return {};
      pairs.push(pair);
    }
    const [without, logs, spans] = await inTurn(pairs, plan.seconds);
    return {
      cpu: without!.cpu,
      logs: logs!.cpu,
      logsRatio: logs!.cpu / without!.cpu,
      logsExported: logs!.exported,
      spans: spans!.cpu,
      spansRatio: spans!.cpu / without!.cpu,
      spansExported: spans!.exported,
    };
  } finally {
    for (const pair of pairs) await pair.stop();
  }
}

/** us for each connection of each pair. */
async function inTurn(pairs: readonly Subject[], seconds: number): Promise<{ cpu: number; exported: number }[]> {
  const sums = pairs.map((pair) => ({ pair, cpu: 0, requests: 0, exported: 0 }));
  for (let i = 0; i <= RUNS; i++) {
    for (const sum of sums) {
      const { pair } = sum, had = await exportedBy(pair), before = pair.pids.map(busySeconds);
      const { requests } = await pair.requests({ connections: CONNECTIONS, seconds, connectionPerRequest: true });
      await sleep(REST_MILLIS);
      const used = pair.pids.reduce((all, pid, side) => all + busySeconds(pid) - before[side]!, 0);
      if (i === 0) continue;
      sum.cpu += used;
      sum.requests += requests;
      sum.exported += await exportedBy(pair) - had;
    }
  }
  return sums.map(({ cpu, requests, exported }) => ({ cpu: cpu / requests * 1e6, exported: exported / requests / 2 }));
}

/** Records so far, of both proxies. */
async function exportedBy({ processes, link }: Subject): Promise<number> {
  let sum = 0;
  for (const side of SIDES) {
    const page = await processes.run([...link.inside(side), "curl", "-sS", "-f", "http://127.0.0.1:15020/metrics"]);
    const samples = page.split("\n").map(parseSample).filter((sample) => sample !== null);
    sum += sumOf(samples, "ztunnel_otlp_exported_total", {});
  }
  return sum;
}

/** The rows of this file. */
export const OTLP_ROWS: readonly Row[] = [otlp];
