/** A row of the report: figures of every subject, taken in rounds. */
import type { Variant, Ztunnel } from "./pair.ts";
import type { Subject } from "./subject.ts";

/** A figure of a row. */
export interface Metric {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
}

/** One round's figures of one subject, by metric id. A figure that makes no sense for a subject is left out. */
export type Sample = Readonly<Record<string, number>>;

/** One round's figures of all subjects, by subject id. A failed subject is missing. */
export type Round = ReadonlyMap<string, Sample>;

/** Length and repetitions of the measurements: short for a quick look, long for figures to publish. */
export interface Plan {
  readonly rounds: number;
  /** Length of one load in one round. */
  readonly seconds: number;
  /** Bulk rows move this many bytes instead of running for `seconds`; null: by time. */
  readonly bulkBytes: number | null;
  /** Pause between the burst and the last memory figure, in seconds; idle CPU is taken from its second half. */
  readonly restSeconds: number;
  /** Bytes moved by the row `volume`. */
  readonly volumeBytes: number;
  readonly idleConnections: number;
  readonly stallSeconds: number;
  /** Rows about many connections run with fewer of them. */
  readonly small: boolean;
  /** Ids of the attacks in the row `attacks`; null: all of them. */
  readonly attacks: readonly string[] | null;
}

/** What a row may use of the run. */
export interface RunContext {
  /** To be called when a subject could not be measured; the run goes on without that figure. */
  onFailure(subject: Subject, error: unknown): void;
  /**
   * A new pair of the same kind, for figures that must not depend on what the old one did before, or that need other
   * settings; the row stops it. Null where only one pair can run at a time.
   */
  another(subject: Subject, variant?: Variant): Promise<Subject> | null;
}

type MeasureOne = (subject: Subject, plan: Plan, run: RunContext) => Promise<Sample>;

/** A row. */
export interface Row {
  readonly id: string;
  readonly title: string;
  readonly metrics: readonly Metric[];
  /** Measured once per run, as it takes too long for rounds or does not vary. */
  readonly once: boolean;
  /** Part of `--quick`. */
  readonly quick: boolean;
  measure(subjects: readonly Subject[], plan: Plan, run: RunContext): Promise<Round>;
}

/** Measures one subject after the other, so that in the rounds A B A B changes of the machine affect all subjects. */
export function oneByOne(measure: MeasureOne): Row["measure"] {
  return async (subjects, plan, run) => {
    const round = new Map<string, Sample>();
    for (const subject of subjects) {
      try {
        round.set(subject.id, await measure(subject, plan, run));
      } catch (error) {
        run.onFailure(subject, error);
      }
    }
    return round;
  };
}

/** Like `oneByOne` for figures of proxies: subjects without a proxy are left out. */
export function proxiesOneByOne(measure: MeasureOne): Row["measure"] {
  const all = oneByOne(measure);
  return (subjects, plan, run) => all(subjects.filter((subject) => subject.pids.length > 0), plan, run);
}

/** Like `oneByOne` for rows that start ztunnels of a subject's kind by themselves; other subjects are left out. */
export function ztunnelsOneByOne(
  measure: (ztunnel: Ztunnel, subject: Subject, plan: Plan) => Promise<Sample>,
): Row["measure"] {
  return oneByOne((subject, plan) => {
    const { ztunnel } = subject.kind;
    return ztunnel === null ? Promise.resolve({}) : measure(ztunnel, subject, plan);
  });
}

/**
 * Like `oneByOne`, with a new pair for each subject, started as `variant` says. Does nothing without namespaces;
 * the small form measures ztunnels only.
 */
export function eachFresh(variant: Variant, measure: MeasureOne): Row["measure"] {
  return oneByOne(async (subject, plan, run) => {
    if (plan.small && subject.kind.entry !== "redirect-all") return {};
    const fresh = await run.another(subject, variant);
    if (fresh === null) return {};
    try {
      return await measure(fresh, plan, run);
    } finally {
      await fresh.stop();
    }
  });
}
