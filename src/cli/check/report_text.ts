/** The report of `ztunnel check` for people. */
import type { Finding } from "./machine.ts";
import type { Report } from "./run_checks.ts";

const STATES: Readonly<Record<Finding["state"], string>> = { ok: "ok", note: "note", problem: "PROBLEM" };

/** Settings first, then the checks, so that problems are the last that a terminal shows. One line each. */
export function reportText({ settings, checks }: Report): string {
  const table = columns(settings.map(({ name, value, origin }) => [name, origin, value]));
  const order = ["ok", "note", "problem"];
  const sorted = checks.toSorted((a, b) => order.indexOf(a.state) - order.indexOf(b.state));
  const found = columns(sorted.map(({ subject, state, text, cure }) => [
    STATES[state],
    subject,
    oneLine(cure === undefined ? text : `${text}; cure: ${cure}`),
  ]));
  const problems = checks.filter(({ state }) => state === "problem").length;
  return `Settings, with the origin of each value\n${table}\nChecks\n${found}\n${countText(problems)}\n`;
}

function countText(problems: number): string {
  return problems === 0 ? "No problem was found" : `${problems} ${problems === 1 ? "problem" : "problems"}`;
}

/** Rows of equal columns, indented; the last column is not padded. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths = [0, 1].map((column) => Math.max(0, ...rows.map((row) => row[column]!.length)));
  return rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd()}\n`)
    .join("");
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, " ");
}
