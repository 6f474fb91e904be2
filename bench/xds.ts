/**
 * `deno task bench:xds`: what a mesh of a thousand, ten thousand and a hundred thousand workloads costs: time and
 * memory of its load, single changes, decisions, and the effect on traffic. bench/README.md says how to read it.
 */
import { parseArgs } from "node:util";
import { describeMachine, missingTools } from "./machine.ts";
import { BENCH_PERMISSIONS } from "./script.ts";
import { median } from "./statistics.ts";
import type { DecisionFigures } from "./xds_decide.ts";
import { measureCold } from "./xds_cold.ts";
import type { StallFigures } from "./xds_stall.ts";
import { measureTraffic } from "./xds_traffic.ts";

const USAGE =
  `usage: deno task bench:xds [--sizes=1000,10000,100000] [--rows=cold,decide,stall,traffic] [--json] [--check]
                           [--out=bench/results]
  --sizes   workloads; for each five there is a service, for each hundred a policy
  --rows    these only; traffic is measured with the largest size
  --json    print the JSON instead of the table
  --check   exit 1 when a bar is missed
  --out     directory for the JSON file`;

const ROWS = ["cold", "decide", "stall", "traffic"] as const;
type Row = typeof ROWS[number];

interface Line {
  readonly row: Row;
  readonly title: string;
  readonly unit: string;
  readonly size: number;
  readonly value: number;
  /** The most it may be; with "least" the least. Null: no promise. */
  readonly bar: number | null;
  readonly bound: "most" | "least";
}

/** Targets for a hundred thousand workloads, which apply to fewer as well. */
const BARS: Readonly<Record<string, readonly [number, Line["bound"]]>> = {
  "load": [4000, "most"],
  "memory, most": [250, "most"],
  "memory, mesh of a second worker": [15, "most"],
  "one change, median": [5, "most"],
  "two decisions": [5, "most"],
  "longest turn, traffic": [10, "most"],
  "load, traffic": [10_000, "most"],
  "policies behind it, traffic": [1000, "most"],
  "load, requests": [10_000, "most"],
  "policies behind it, requests": [1000, "most"],
  "requests/s, loading to quiet": [0.85, "least"],
};

const MB = 1e6;

async function measure(row: Row, size: number): Promise<Line[]> {
  const line = (title: string, unit: string, value: number): Line => {
    const [bar, bound] = BARS[title] ?? [null, "most" as const];
    return { row, title, unit, size, value, bar, bound };
  };
  switch (row) {
    case "cold": {
      const { load, response, before, peak, after, changes } = await measureCold(size, 1);
      const second = await measureCold(size, 2);
      return [
        line("response", "MB", response / MB),
        line("load", "ms", load),
        line("memory, before", "MB", before / MB),
        line("memory, most", "MB", peak / MB),
        line("memory, after", "MB", after / MB),
        line("memory, mesh of a second worker", "MB", (second.after - second.before - after + before) / MB),
        line("one change, median", "ms", median(changes)),
        line("one change, p99", "ms", changes[Math.floor(changes.length * 0.99)]!),
      ];
    }
    case "decide": {
      const { warm, cold } = await program<DecisionFigures>("xds_decide.ts", `${size}`);
      return [line("two decisions", "us", warm), line("two decisions, first time", "us", cold)];
    }
    case "stall":
      return await measureStalls(size, line);
    case "traffic": {
      const { quiet, loading, quietP99, loadingP99, load, policies } = await measureTraffic(size);
      return [
        line("requests/s, quiet", "1/s", median(quiet)),
        line("requests/s, loading to quiet", "", median(loading.map((value, i) => value / quiet[i]!))),
        line("load, requests", "ms", median(load)),
        line("policies behind it, requests", "ms", median(policies)),
        line("p99, quiet", "us", median(quietP99)),
        line("p99, loading", "us", median(loadingP99)),
      ];
    }
    default:
      return row satisfies never;
  }
}

/** Other load on the machine makes turns longer, never shorter, so the best of three runs is used. */
async function measureStalls(size: number, line: (title: string, unit: string, value: number) => Line) {
  const best = async (work: string): Promise<StallFigures> => {
    const runs: StallFigures[] = [];
    for (let i = 0; i < 3; i++) runs.push(await program<StallFigures>("xds_stall.ts", `${size}`, work));
    return runs.sort((a, b) => a.longest[0]! - b.longest[0]!)[0]!;
  };
  const idle = await best("0"), busy = await best("0.3");
  return [
    line("longest turn, idle", "ms", idle.longest[0]!),
    line("longest turn, traffic", "ms", busy.longest[0]!),
    line("load, traffic", "ms", busy.millis),
    line("policies behind it, traffic", "ms", busy.policies),
    line("main is held at most", "ms", idle.held),
  ];
}

/** Runs a program of this folder in a new process. */
async function program<T>(name: string, ...args: string[]): Promise<T> {
  const command = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      ...BENCH_PERMISSIONS,
      "--v8-flags=--max-semi-space-size=1,--no-parallel-scavenge",
      here(name),
      ...args,
    ],
    stderr: "inherit",
  });
  const { success, stdout } = await command.output();
  if (!success) throw new Error(`${name} ${args.join(" ")} failed`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

function here(name: string): string {
  return new URL(name, import.meta.url).pathname;
}

function isMet({ value, bar, bound }: Line): boolean {
  return bar === null || (bound === "most" ? value <= bar : value >= bar);
}

function table(lines: readonly Line[]): string {
  const sizes = [...new Set(lines.map(({ size }) => size))].sort((a, b) => a - b);
  const titles = [...new Set(lines.map(({ title }) => title))];
  const rows = titles.map((title) => {
    const own = lines.filter((line) => line.title === title);
    const cells = sizes.map((size) => {
      const line = own.find((each) => each.size === size);
      return line === undefined ? "-" : `${figure(line.value)}${isMet(line) ? "" : " MISSED"}`;
    });
    const { bar, bound, unit } = own[0]!;
    return [title, unit, ...cells, bar === null ? "" : `${bound === "most" ? "<=" : ">="} ${bar}`];
  });
  const all = [["workloads", "", ...sizes.map(String), "bar"], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all.map((row) =>
    row.map((cell, column) => column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)).join("  ")
      .trimEnd()
  ).join("\n");
}

function figure(value: number): string {
  return value >= 100 ? Math.round(value).toString() : value.toPrecision(3);
}

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      sizes: { type: "string", default: "1000,10000,100000" },
      rows: { type: "string", default: ROWS.join(",") },
      json: { type: "boolean", default: false },
      check: { type: "boolean", default: false },
      out: { type: "string", default: here("results") },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const sizes = values.sizes.split(",").map(Number);
  const rows = ROWS.filter((row) => values.rows.split(",").includes(row));
  const lines: Line[] = [];
  for (const row of rows) {
    const missing = row === "traffic" ? missingTools() : [];
    if (missing.length > 0) {
      console.error(`without traffic: ${missing.join(", ")} missing`);
      continue;
    }
    for (const size of row === "traffic" ? [Math.max(...sizes)] : sizes) {
      console.error(`${row}, ${size} workloads`);
      lines.push(...await measure(row, size));
    }
  }
  const results = { when: new Date().toISOString(), machine: await describeMachine(), lines };
  console.log(values.json ? JSON.stringify(results, null, 1) : table(lines));
  await Deno.mkdir(values.out, { recursive: true });
  const file = `${values.out}/xds-${results.when.slice(0, 16).replace("T", "-").replace(":", "")}.json`;
  await Deno.writeTextFile(file, JSON.stringify(results, null, 1) + "\n");
  console.error(`wrote ${file}`);
  return values.check && !lines.every(isMet) ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
