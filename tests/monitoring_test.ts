/** What Prometheus makes of our metrics: promtool's checks, alert rules, and the queries of dashboards. */
import { strict as assert } from "node:assert";
import { eventually } from "../lab/eventually.ts";
import { identityOf, meshText } from "../lab/mesh.ts";
import { testNeeding } from "../lab/needs.ts";
import { Program } from "../lab/program.ts";
import { type Place, Proxy } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";
import { tempDir } from "../lab/temp_dir.ts";
import { FAMILIES, type MetricFamily } from "../src/telemetry/metric_catalogue.ts";
import { echoApp } from "../testkit/apps.ts";
import { credential, sharedCa } from "../testkit/credentials.ts";
import { HbonePeer } from "../testkit/hbone_peer.ts";

const IP = "127.26.0.9";
const MONITORING = new URL("../deploy/monitoring/", import.meta.url);

/** The names of all samples that a family can have. */
const SAMPLES: ReadonlySet<string> = new Set(
  Object.entries(FAMILIES).flatMap(([name, { kind }]: [string, MetricFamily]) => {
    if (kind === "gauge") return [name];
    return kind === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [`${name}_total`];
  }),
);

/** The queries of a dashboard. */
function queriesOf(board: unknown): string[] {
  const { panels = [], targets = [] } = board as { panels?: unknown[]; targets?: { expr: string }[] };
  return [...targets.map(({ expr }) => expr), ...panels.flatMap(queriesOf)];
}

/** The metrics that a query reads. */
const metricsOf = (query: string): string[] => query.match(/\b(?:istio|process|ztunnel|workload_manager)_\w+/g) ?? [];

/** The dashboard of Istio at the version of the istiod that is built for tests; null: its module is not there. */
async function istiosBoard(): Promise<unknown> {
  const where = new URL("./peers/istiod/", import.meta.url);
  try {
    const go = new Deno.Command("go", { args: ["list", "-m", "-f", "{{.Dir}}", "istio.io/istio"], cwd: where });
    const { success, stdout } = await go.output();
    const folder = new TextDecoder().decode(stdout).trim();
    if (!success || folder === "") return null;
    return JSON.parse(Deno.readTextFileSync(`${folder}/manifests/addons/dashboards/ztunnel-dashboard.gen.json`));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** A proxy with a call that succeeded. */
async function withTraffic(test: (stats: Place) => Promise<void>): Promise<void> {
  using folder = tempDir();
  await using app = echoApp(IP);
  const mesh = meshText([{ name: "b", ips: [IP] }]);
  await using proxy = await Proxy.ready(nodeSettings({ name: "b", ip: IP, mesh, folder: folder.path }));
  const one = credential(sharedCa(folder.path), identityOf("a"));
  await using peer = await HbonePeer.connect(await proxy.place("inbound"), one);
  const tunnel = await peer.tunnel(app.authority);
  tunnel.send("hello");
  assert.equal(await tunnel.read(5), "hello");
  await test(await proxy.place("stats"));
}

async function promtool(args: readonly string[], cwd?: string): Promise<void> {
  await using program = new Program("promtool", { args, ...(cwd === undefined ? {} : { cwd }) });
  const { code, output } = await program.ended();
  assert.equal(code, 0, output);
}

testNeeding({ packages: ["promtool"] }, "alert rules are valid, fire when they should and not otherwise", async () => {
  await promtool(["check", "rules", "alerts.yaml"], MONITORING.pathname);
  await promtool(["test", "rules", "alerts_test.yaml"], MONITORING.pathname);
});

Deno.test("alert rules and our dashboard read metrics that exist, and each alert has its test", async () => {
  const rules = await Deno.readTextFile(new URL("alerts.yaml", MONITORING));
  const board = JSON.parse(await Deno.readTextFile(new URL("board.json", MONITORING)));
  const queries = queriesOf(board);
  assert.ok(queries.length > 20);
  for (const name of [...metricsOf(rules), ...queries.flatMap(metricsOf)]) assert.ok(SAMPLES.has(name), name);
  const tests = await Deno.readTextFile(new URL("alerts_test.yaml", MONITORING));
  for (const [, alert] of rules.matchAll(/- alert: (\w+)/g)) {
    assert.ok(tests.includes(`ALERTS{alertname="${alert}"`), `no test in which ${alert} fires`);
  }
});

testNeeding(
  { packages: ["promtool"] },
  "promtool has nothing against names, types and helps of our metrics",
  async () => {
    await withTraffic(async ({ hostname, port }) => {
      const text = await (await fetch(`http://${hostname}:${port}/metrics`)).text();
      // promtool reads the older text format only, where the name of a counter has its suffix in all lines.
      const counters = new Set([...text.matchAll(/^# TYPE (\w+) counter$/gm)].map(([, name]) => name!));
      const older = text.replace(
        /^# (HELP|TYPE) (\w+) /gm,
        (line, word: string, name: string) => counters.has(name) ? `# ${word} ${name}_total ` : line,
      );
      using folder = tempDir();
      await Deno.writeTextFile(`${folder.path}/page`, older);
      await using program = new Program("sh", { args: ["-c", "promtool check metrics < page"], cwd: folder.path });
      const { code, output } = await program.ended();
      assert.equal(`${code} ${output}`, "0 ");
    });
  },
);

testNeeding(
  { packages: ["prometheus"] },
  "Prometheus answers the queries of Istio's dashboard and of ours",
  async () => {
    const ours = queriesOf(JSON.parse(await Deno.readTextFile(new URL("board.json", MONITORING))));
    const istios = queriesOf(await istiosBoard() ?? {}).filter((query) => !query.includes("container_"));
    const queries = [...ours, ...istios];
    await withTraffic(async (stats) => {
      const text = await (await fetch(`http://${stats.hostname}:${stats.port}/metrics`)).text();
      const present = new Set([...text.matchAll(/^(\w+)[ {]/gm)].map(([, name]) => name!));
      for (const name of queries.flatMap(metricsOf)) assert.ok(SAMPLES.has(name), name);
      using folder = tempDir();
      await using server = new Program("prometheus", {
        args: [
          `--config.file=${configuration(folder.path, stats)}`,
          `--storage.tsdb.path=${folder.path}/data`,
          "--web.listen-address=127.0.0.1:0",
        ],
      });
      const [, address] = await server.line(/msg="Listening on" address=(\S+)/);
      await server.line(/Server is ready to receive web requests/);
      for (const query of queries) {
        const text = query.replaceAll("$__rate_interval", "1m");
        const answer = () => ask(address!, text);
        // Rates need two scrapes. A metric without a sample yet has an empty answer.
        if (metricsOf(query).some((name) => !present.has(name))) await answer();
        else await eventually(`an answer to ${text}`, async () => (await answer()).length > 0);
      }
    });
  },
);

/** Writes a configuration that scrapes `stats`; returns its path. */
function configuration(folder: string, { hostname, port }: Place): string {
  const path = `${folder}/prometheus.yaml`;
  Deno.writeTextFileSync(
    path,
    `scrape_configs:
  - job_name: ztunnel
    scrape_interval: 500ms
    scrape_timeout: 500ms
    static_configs: [{ targets: ["${hostname}:${port}"], labels: { pod: ztunnel-abcde, app: ztunnel } }]
`,
  );
  return path;
}

/** The result of a query now. Fails where Prometheus refuses the query. */
async function ask(address: string, query: string): Promise<readonly unknown[]> {
  const response = await fetch(`http://${address}/api/v1/query?${new URLSearchParams({ query })}`);
  const { status, data, error } = await response.json();
  assert.equal(status, "success", `${query}: ${error}`);
  return data.result;
}
