/** The report as text: figures, ratios, bars. */
import { judge } from "./bars.ts";
import { comparisons, medianOf, ratioOf, type Results } from "./results.ts";

/** Three digits where that is enough to see a difference, all digits of large numbers. */
export function formatFigure(value: number): string {
  if (Number.isNaN(value)) return "-";
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString("en-US");
  return value.toFixed(size >= 10 ? 1 : 2);
}

function formatRatio(value: number): string {
  return Number.isFinite(value) ? value.toFixed(2) : "-";
}

/** The report. */
export function textReport(results: Results): string {
  const parts = [heading(results), figureTable(results), ratioTable(results), barTable(results), warnings(results)];
  return parts.filter((part) => part !== "").join("\n\n") + "\n";
}

function heading(results: Results): string {
  const { cpu, cores, kernel, deno, revision } = results.machine;
  const { rounds, seconds } = results.plan;
  return [
    `${results.when}  ${cores} x ${cpu}, Linux ${kernel}, Deno ${deno}, revision ${revision}`,
    `${results.rig}, ${rounds} round${rounds === 1 ? "" : "s"} of ${seconds} s`,
    ...results.subjects.map((subject) => `  ${subject.id.padEnd(18)} ${subject.title}; TLS: ${subject.tls}`),
  ].join("\n");
}

function figureTable(results: Results): string {
  const ids = results.subjects.map((subject) => subject.id);
  return table(["median of the rounds", "unit", ...ids], results, (row, metric) => [
    metric.unit,
    ...ids.map((id) => formatFigure(medianOf(row, id, metric.id))),
  ]);
}

function ratioTable(results: Results): string {
  const pairs = comparisons(results.subjects);
  if (pairs.length === 0) return "";
  const heads = pairs.map(([subject, peer]) => `${subject}/${peer}`);
  return table(["median of the rounds' ratios", "better", ...heads], results, (row, metric) => [
    metric.better,
    ...pairs.map(([subject, peer]) => formatRatio(ratioOf(row, subject, peer, metric.id))),
  ]);
}

type Line = (row: Results["rows"][number], metric: Results["rows"][number]["metrics"][number]) => string[];

function table(head: string[], results: Results, line: Line): string {
  const lines: string[][] = [head];
  for (const row of results.rows) {
    lines.push([row.title]);
    for (const metric of row.metrics) {
      const cells = line(row, metric);
      if (cells.slice(1).some((cell) => cell !== "-")) lines.push([`  ${metric.title}`, ...cells]);
    }
  }
  return align(lines);
}

/**
 * Aligns columns: the first to the left, the others to the right. A line with one cell is a title without alignment.
 */
function align(lines: readonly string[][]): string {
  const widths: number[] = [];
  for (const cells of lines.filter((line) => line.length > 1)) {
    cells.forEach((cell, column) => widths[column] = Math.max(widths[column] ?? 0, cell.length));
  }
  const pad = (cell: string, column: number) =>
    column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0);
  return lines.map((cells) => cells.map(pad).join("  ").trimEnd()).join("\n");
}

const UNITS = { ratio: "x rust", shared: "x dedicated", figure: "figure" } as const;

function barTable(results: Results): string {
  const lines = judge(results).map((bar) => [
    `${bar.met ? "ok    " : "MISSED"} ${bar.row} ${bar.metric}`,
    bar.subject,
    UNITS[bar.of],
    bar.wanted,
    formatFigure(bar.value),
  ]);
  return lines.length === 0 ? "" : align([["bars", "subject", "of", "wanted", "is"], ...lines]);
}

function warnings(results: Results): string {
  return results.warnings.map((warning) => `warning: ${warning}`).join("\n");
}
