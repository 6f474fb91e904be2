/** Runs subjects, rows and rounds, and collects the figures. */
import type { ProxyUnderTest } from "./pair.ts";
import { type Results, roundRecord, type RowResult, type SubjectInfo } from "./results.ts";
import type { Plan, Round, Row } from "./row.ts";
import type { Session } from "./session.ts";
import type { Subject } from "./subject.ts";

/** A run. */
export class Runner {
  readonly #plan: Plan;
  readonly #rows: readonly Row[];
  readonly #say: (text: string) => void;
  readonly #subjects: SubjectInfo[] = [];
  /** Row id to its rounds so far. */
  readonly #rounds = new Map<string, Round[]>();
  readonly #warnings: string[] = [];
  #stopped = false;

  constructor(plan: Plan, rows: readonly Row[], say: (text: string) => void) {
    this.#plan = plan;
    this.#rows = rows;
    this.#say = say;
  }

  /** Runs `kinds` side by side and stops them. May be called again with others: their figures join the same rounds. */
  async run(kinds: readonly ProxyUnderTest[], session: Session): Promise<void> {
    const subjects = await this.#start(kinds, session);
    try {
      for (const row of this.#rows) await this.#measure(row, subjects, session);
    } finally {
      await session.stopSubjects();
    }
  }

  /** Ends the run: no further figures are taken, and failures are no longer reported. */
  stop(): void {
    this.#stopped = true;
  }

  outcome(): Pick<Results, "subjects" | "rows" | "warnings"> {
    const rows = this.#rows.map(({ id, title, metrics }): RowResult => {
      return { id, title, metrics, rounds: (this.#rounds.get(id) ?? []).map(roundRecord) };
    });
    return { subjects: this.#subjects, rows, warnings: this.#warnings };
  }

  async #start(kinds: readonly ProxyUnderTest[], session: Session): Promise<Subject[]> {
    const started = await Promise.all(kinds.map(async (kind) => {
      try {
        const subject = await session.start(kind);
        await warmUp(subject);
        return subject;
      } catch (error) {
        this.#warn(`${kind.title} takes no part: ${text(error)}`);
        return null;
      }
    }));
    const subjects = started.filter((subject) => subject !== null);
    for (const { id, title, tls } of subjects) {
      this.#subjects.push({ id, title, tls });
      this.#say(`${title}: ready, TLS: ${tls}`);
    }
    return subjects;
  }

  async #measure(row: Row, subjects: readonly Subject[], session: Session): Promise<void> {
    const rounds = this.#rounds.get(row.id) ?? [];
    this.#rounds.set(row.id, rounds);
    for (let number = 0; number < (row.once ? 1 : this.#plan.rounds) && !this.#stopped; number++) {
      this.#say(`${row.title}${row.once ? "" : `, round ${number + 1}`}`);
      const round = await row.measure(subjects, this.#plan, {
        onFailure: (subject, error) =>
          this.#warn(`no figures for ${row.id} of ${subject.id} in round ${number + 1}: ${text(error)}`),
        another: (subject, variant) => session.rig === "namespaces" ? session.start(subject.kind, variant) : null,
      });
      this.#noteErrors(row, round);
      rounds[number] = new Map([...rounds[number] ?? [], ...round]);
    }
  }

  /** Warns about failed requests, since such a rate is not comparable. */
  #noteErrors(row: Row, round: Round): void {
    for (const [subject, { errors = 0 }] of round) {
      if (errors > 0) this.#warn(`${row.id} of ${subject}: ${errors} failed requests`);
    }
  }

  #warn(warning: string): void {
    if (this.#stopped) return;
    this.#warnings.push(warning);
    this.#say(`warning: ${warning}`);
  }
}

/** Warm-up, the same for all subjects and not measured: opens the tunnel, and lets the runtime compile hot paths. */
async function warmUp(subject: Subject): Promise<void> {
  await subject.requests({ connections: 16, seconds: 3 });
  await subject.bulk({ direction: "up", streams: 1, amount: { bytes: 200e6 } });
  await subject.bulk({ direction: "down", streams: 1, amount: { bytes: 200e6 } });
  await subject.requests({ connections: 16, seconds: 1, connectionPerRequest: true });
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
