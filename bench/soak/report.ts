/** What a soak run has shown: as data, and as a table. */
import type { Results } from "../results.ts";
import { type Figure, type FigureId, FIGURES, leftOf } from "./figures.ts";
import type { Measured, Outcome } from "./outcome.ts";
import { judgeSlope, type Slope } from "./slope.ts";

/** Tables, pools and heaps reach their size in the first part of a run, which is not judged. */
const WARM_UP = 1 / 3;
/** Points of a curve. */
const POINTS = 120;
/** A figure of a proxy. Its curve: minutes and values. */
export interface FigureReport extends Omit<Slope, "verdict"> {
  readonly id: FigureId;
  readonly limit: number;
  readonly verdict: Slope["verdict"] | "not judged";
  readonly curve: ReadonlyArray<readonly [minutes: number, value: number]>;
}

/** A proxy. */
interface ProxyReport {
  readonly name: string;
  readonly cores: number;
  readonly figures: readonly FigureReport[];
  readonly left: ReturnType<typeof leftOf>;
  readonly errors: Measured["errors"];
}

/** A run. */
export interface Report {
  readonly when: string;
  readonly minutes: number;
  readonly rate: number;
  readonly machine: Results["machine"];
  /** The part of the run that is not judged. */
  readonly warmUpMinutes: number;
  readonly proxies: readonly ProxyReport[];
  readonly calls: Outcome["calls"];
}

/** Makes the report of a run. */
export function makeReport({ when, minutes, rate, machine, outcome }: {
  readonly when: Date;
  readonly minutes: number;
  readonly rate: number;
  readonly machine: Results["machine"];
  readonly outcome: Outcome;
}): Report {
  const warmUp = outcome.seconds * WARM_UP;
  const proxies = outcome.proxies.map((measured): ProxyReport => ({
    name: measured.name,
    cores: round(measured.cores, 3),
    figures: FIGURES.flatMap((figure) => reportFigure(figure, measured, warmUp, outcome.seconds)),
    left: leftOf(measured.rest),
    errors: measured.errors,
  }));
  const warmUpMinutes = round(warmUp / 60, 1);
  return { when: when.toISOString(), minutes, rate, machine, warmUpMinutes, proxies, calls: outcome.calls };
}

function reportFigure(
  { id, perHour, fullCollections }: Figure,
  measured: Measured,
  warmUp: number,
  end: number,
): FigureReport[] {
  const all = measured.points(id, 0, end);
  if (all.length === 0) return [];
  const slope = judgeSlope(measured.points(id, warmUp, end), perHour);
  const step = Math.ceil(all.length / POINTS);
  const curve = all.filter((_, index) => index % step === 0)
    .map(({ hours, value }) => [round(hours * 60, 1), round(value, 2)] as const);
  return [{
    id,
    limit: perHour,
    perHour: round(slope.perHour, 2),
    uncertainty: round(slope.uncertainty, 2),
    verdict: fullCollections && !measured.fullCollections ? "not judged" : slope.verdict,
    curve,
  }];
}

/** Whether nothing grew, nothing was left, and no connection failed that should have succeeded. */
export function isGood({ proxies, calls }: Report): boolean {
  return proxies.every(({ figures, left, errors }) =>
    figures.every(({ verdict }) => verdict !== "grows") && left.every(({ ok }) => ok) && errors.count === 0
  ) && Object.values(calls).every(({ failed, mayFail }) => failed === 0 || mayFail);
}

/** The report for people. */
export function textOf(report: Report): string {
  return [
    ...report.proxies.flatMap((proxy) => [...textOfProxy(proxy), ""]),
    ...textOfCalls(report.calls),
    "",
    `${
      isGood(report) ? "held" : "FAILED"
    }: ${report.minutes} min, slopes without the first ${report.warmUpMinutes} min`,
  ].join("\n");
}

function textOfProxy({ name, cores, figures, left, errors }: ProxyReport): string[] {
  const rows = figures.map(({ id, curve, perHour, uncertainty, limit, verdict }) => {
    const { title, unit } = FIGURES.find((figure) => figure.id === id)!;
    const values = curve.map(([, value]) => value);
    return [
      `${title}${unit === "" ? "" : `, ${unit}`}`,
      `${values[0]}`,
      `${values.at(-1)}`,
      `${Math.max(...values)}`,
      `${perHour} ± ${uncertainty}`,
      `${limit}`,
      verdict,
    ];
  });
  return [
    `${name}: ${cores} cores`,
    ...table([
      ["  figure", "first", "last", "most", "per hour", "limit", ""],
      ...rows.map(([title, ...rest]) => [
        `  ${title}`,
        ...rest,
      ]),
    ]),
    ...left.map(({ id, before, after, ok }) =>
      `  after the load: ${id} ${after}, before ${before}${ok ? "" : ": LEFT"}`
    ),
    ...errors.count === 0 ? [] : [`  ${errors.count} errors in the log:`, ...errors.lines.map((line) => `    ${line}`)],
  ];
}

function textOfCalls(calls: Report["calls"]): string[] {
  const rows = Object.entries(calls).map(([name, { succeeded, failed, mayFail }]) => [
    `  ${name}`,
    `${succeeded}`,
    mayFail ? `${failed} cut` : `${failed}`,
  ]);
  const reasons = Object.entries(calls).filter(([, { failed, mayFail }]) => failed > 0 && !mayFail)
    .flatMap(([name, tally]) => Object.entries(tally.reasons).map(([text, count]) => `  ${name}: ${count} x ${text}`));
  return [...table([["connections", "done", "failed"], ...rows]), ...reasons];
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row.map((cell, column) => column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)).join("  ")
  );
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
