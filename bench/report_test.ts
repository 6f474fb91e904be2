import { strict as assert } from "node:assert";
import { judge } from "./bars.ts";
import { chart } from "./chart.ts";
import { formatFigure, textReport } from "./report.ts";
import { comparisons, type Results } from "./results.ts";

const METRICS = [
  { id: "rate", title: "rate", unit: "1/s", better: "higher" },
  { id: "cpu", title: "CPU each", unit: "us", better: "lower" },
] as const;

function results(ids: readonly string[]): Results {
  const figures: Record<string, Record<string, number>> = {
    direct: { rate: 90000 },
    rust: { rate: 20000, cpu: 20 },
    ours: { rate: 30000, cpu: 15 },
    "ours-shared": { rate: 27000, cpu: 15 },
    "ours-aws-lc": { rate: 33000, cpu: 12 },
  };
  const round = Object.fromEntries(ids.map((id) => [id, figures[id] ?? {}]));
  return {
    when: "2026-01-02T03:04:05.000Z",
    machine: { cpu: "C", cores: 2, kernel: "K", deno: "D", revision: "R" },
    rig: "namespaces",
    plan: {
      rounds: 2,
      seconds: 1,
      bulkBytes: null,
      restSeconds: 1,
      volumeBytes: 1,
      idleConnections: 1,
      stallSeconds: 1,
      small: true,
      attacks: null,
    },
    subjects: ids.map((id) => ({ id, title: id, tls: id === "direct" ? "none" : "T <1>" })),
    rows: [{ id: "req32", title: "requests, 32", metrics: METRICS, rounds: [round, round] }],
    warnings: ["something"],
  };
}

Deno.test("report: ours is compared with each peer, else the peers with each other", () => {
  const pairs = (ids: string[]) => comparisons(results(ids).subjects).map((pair) => pair.join("/"));
  assert.deepEqual(pairs(["direct", "rust", "ours"]), ["ours/rust", "ours/direct"]);
  assert.deepEqual(pairs(["direct", "rust"]), ["rust/direct"]);
  assert.deepEqual(pairs(["ours", "ours-shared", "rust-shared"]), ["ours-shared/ours", "ours-shared/rust-shared"]);
});

Deno.test("report: it has figures, ratios, targets and warnings", () => {
  const text = textReport(results(["direct", "rust", "ours"]));
  assert.match(text, /rate +1\/s +90,000 +20,000 +30,000/);
  assert.match(text, /CPU each +us +- +20\.0 +15\.0/);
  assert.match(text, /rate +higher +1\.50 +0\.33/);
  assert.match(text, /ok +req32 rate +ours +x rust +>= 1\.3 +1\.50/);
  assert.match(text, /MISSED req32 cpu +ours +x rust +<= 0\.7 +0\.75/);
  assert.match(text, /warning: something/);
});

Deno.test("bars: shared mode is compared with dedicated mode", () => {
  const text = textReport(results(["ours", "ours-shared"]));
  assert.match(text, /MISSED req32 rate +ours-shared +x dedicated +>= 0\.95 +0\.90/);
  assert.match(text, /ok +req32 cpu +ours-shared +x dedicated +<= 1\.05 +1\.00/);
});

Deno.test("bars: those of the library that is shipped", () => {
  const judged = judge(results(["rust", "ours", "ours-aws-lc"]));
  assert.ok(judged.length > 0);
  assert.ok(judged.every(({ subject }) => subject === "ours-aws-lc"));
});

Deno.test("bars: there is none without our proxy, and no ratio without the peer", () => {
  assert.deepEqual(judge(results(["direct", "rust"])), []);
  assert.deepEqual(judge(results(["direct", "ours"])), []);
});

Deno.test("chart: text is escaped and figures are written", () => {
  const svg = chart(results(["rust", "ours"]));
  assert.ok(svg.includes("T &lt;1&gt;"));
  assert.ok(svg.includes(">30,000<"));
  assert.ok(!svg.includes("NaN"));
});

for (const [value, text] of [[NaN, "-"], [0.123, "0.12"], [12.34, "12.3"], [1234.5, "1,235"]] as const) {
  Deno.test(`report: ${value} is written ${text}`, () => assert.equal(formatFigure(value), text));
}
