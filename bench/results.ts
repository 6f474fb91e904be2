/** All figures of a run, as they are written to the JSON file. */
import { SHARED_SUFFIX } from "./proxies.ts";
import type { Metric, Plan, Round } from "./row.ts";
import { median, medianRatio } from "./statistics.ts";

/** A subject of the run. */
export interface SubjectInfo {
  readonly id: string;
  readonly title: string;
  /** The TLS library that the process had loaded. */
  readonly tls: string;
}

/** The figures of a row. */
export interface RowResult {
  readonly id: string;
  readonly title: string;
  readonly metrics: readonly Metric[];
  /** One entry per round: subject id to metric id to figure. */
  readonly rounds: ReadonlyArray<Readonly<Record<string, Readonly<Record<string, number>>>>>;
}

/** The figures of a run. */
export interface Results {
  readonly when: string;
  readonly machine: Readonly<Record<string, string | number>>;
  readonly rig: "namespaces" | "loopback";
  readonly plan: Plan;
  readonly subjects: readonly SubjectInfo[];
  readonly rows: readonly RowResult[];
  /** Figures that could not be taken, and answers that were errors. */
  readonly warnings: readonly string[];
}

/** A round in the form of the JSON file. */
export function roundRecord(round: Round): RowResult["rounds"][number] {
  return Object.fromEntries(round);
}

/** The figures of a subject, one per round; NaN where a round has none. */
function figures(row: RowResult, subject: string, metric: string): number[] {
  return row.rounds.map((round) => round[subject]?.[metric] ?? NaN);
}

/** The median over all rounds. */
export function medianOf(row: RowResult, subject: string, metric: string): number {
  return median(figures(row, subject, metric));
}

/** The median of the ratios of `subject` to `peer` in each round. */
export function ratioOf(row: RowResult, subject: string, peer: string, metric: string): number {
  return medianRatio(figures(row, subject, metric), figures(row, peer, metric));
}

/**
 * The pairs whose ratios are shown: our proxy with each peer, or, without ours, the peers with each other. A subject in
 * shared mode is compared with itself in dedicated mode and with the Rust ztunnel in shared mode.
 */
export function comparisons(subjects: readonly SubjectInfo[]): ReadonlyArray<readonly [subject: string, peer: string]> {
  const ids = subjects.map((subject) => subject.id);
  const our = ids.filter((id) => id.startsWith("ours"));
  const peers = ["rust", "nginx", "direct"].filter((id) => ids.includes(id));
  const left = our.length > 0 ? our : ids.filter((id) => id !== "direct");
  return left.flatMap((id) => {
    const those = id.endsWith(SHARED_SUFFIX) ? [inDedicatedMode(id), `rust${SHARED_SUFFIX}`] : peers;
    return those.filter((peer) => peer !== id && ids.includes(peer)).map((peer) => [id, peer] as const);
  });
}

/** The id of the same program in dedicated mode. */
export function inDedicatedMode(id: string): string {
  return id.endsWith(SHARED_SUFFIX) ? id.slice(0, -SHARED_SUFFIX.length) : id;
}
