/**
 * Latency of existing and new connections during an attack on the inbound port that they share, and the cost of the
 * attack for the proxy (`docs/spec/observed.md` O32).
 */
import { readFileSync } from "node:fs";
import { ATTACK_CASES, type AttackCase, startApps } from "./attackers.ts";
import { busySeconds, peakBytes, resetPeak, residentBytes } from "./cpu.ts";
import { Crowd, lost, startEcho } from "./crowd.ts";
import type { NewcomerResult } from "./newcomers.ts";
import { waitForLog } from "./processes.ts";
import type { Metric, Plan, Round, Row, RunContext } from "./row.ts";
import { scriptedCa } from "./rows_stall.ts";
import { script } from "./script.ts";
import type { Group } from "./sender.ts";
import { median } from "./statistics.ts";
import type { Subject } from "./subject.ts";

/** A fixed rate, so that the proxy's CPU time is comparable. */
const NEIGHBOUR: Group = { connections: 4, everyMillis: 5, pick: null };
const NEWCOMERS = 20;
const WARM_UP_SECONDS = 3;
/** Time for newcomers that fail, and for the last echoes. */
const MOST_SECONDS = 30;
const MB = 1e6;

const lower = (id: string, title: string, unit: string): Metric => ({ id, title, unit, better: "lower" });

const metrics: readonly Metric[] = [
  lower("quiet", "p99 of the neighbour without an attack", "us"),
  lower("quietCpu", "  CPU of the server's proxy", "%"),
  lower("quietNewcomers", "  median of newcomers", "ms"),
  ...ATTACK_CASES.flatMap(({ id }) => [
    lower(id, `p99 during ${id}, relative to quiet`, "x"),
    lower(`${id}P99`, "  p99", "us"),
    lower(`${id}Lost`, "  the neighbour's lost messages and connections", ""),
    lower(`${id}Failed`, "  newcomers not served", ""),
    lower(`${id}Newcomers`, "  median of newcomers", "ms"),
    lower(`${id}Cpu`, "  CPU of the server's proxy", "%"),
    lower(`${id}Peak`, "  its peak RSS", "MB"),
    lower(`${id}Growth`, "  its growth to that peak", "MB"),
  ]),
];

interface NeighbourResult {
  readonly p99: number;
  readonly lost: number;
  /** In percent of a core. */
  readonly cpu: number;
}

/** A new pair with the applications that existing connections and attackers use. */
class Bed {
  readonly sample: Record<string, number> = {};
  readonly #server: number;
  readonly #quiet: NeighbourResult[] = [];

  private constructor(readonly subject: Subject, readonly pair: Subject, readonly ports: string) {
    this.#server = pair.pair.server!.pid;
  }

  /** Null: only one pair can run at a time. */
  static async open(subject: Subject, run: RunContext): Promise<Bed | null> {
    const pair = await run.another(subject, { prepare: scriptedCa });
    if (pair === null) return null;
    try {
      await pair.requests({ connections: 4, seconds: WARM_UP_SECONDS });
      await startEcho(pair);
      const bed = new Bed(subject, pair, (await startApps(pair)).ports);
      // The first run lets the runtime compile the path of new connections.
      for (let i = 0; i < 2; i++) bed.sample["quietNewcomers"] = (await bed.#newcomers()).p50;
      return bed;
    } catch (error) {
      await pair.stop();
      throw error;
    }
  }

  /** Adds the figures of one attack, with a quiet time of its own before it. */
  async measure(assault: AttackCase, seconds: number): Promise<void> {
    const { id } = assault;
    const quiet = await this.#neighbour(seconds);
    this.#quiet.push(quiet);
    const before = residentBytes(this.#server);
    resetPeak(this.#server);
    const neighbour = await this.#during(assault, seconds, () => this.#neighbour(seconds));
    const newcomers = await this.#during(assault, seconds, () => this.#newcomers());
    const peak = peakBytes(this.#server);
    Object.assign(this.sample, {
      quiet: median(this.#quiet.map(({ p99 }) => p99)),
      quietCpu: median(this.#quiet.map(({ cpu }) => cpu)),
      [id]: neighbour.p99 / quiet.p99,
      [`${id}P99`]: neighbour.p99,
      [`${id}Lost`]: neighbour.lost,
      [`${id}Cpu`]: neighbour.cpu,
      [`${id}Failed`]: newcomers.failed,
      [`${id}Newcomers`]: newcomers.p50,
      [`${id}Peak`]: peak / MB,
      [`${id}Growth`]: (peak - before) / MB,
    });
  }

  async #during<T>(assault: AttackCase, seconds: number, look: () => Promise<T>): Promise<T> {
    const attacker = await assault.start(this.pair, this.ports, seconds + MOST_SECONDS);
    try {
      return await look();
    } finally {
      await attacker.stop();
    }
  }

  async #neighbour(seconds: number): Promise<NeighbourResult> {
    const crowd = await Crowd.startWithoutEcho(this.pair, [NEIGHBOUR], seconds);
    const began = performance.now(), before = busySeconds(this.#server);
    const results = await crowd.results();
    const cpu = (busySeconds(this.#server) - before) / (performance.now() - began) * 1e5;
    await crowd.stop();
    return { p99: results[0]?.p99 ?? NaN, lost: lost(results), cpu };
  }

  async #newcomers(): Promise<NewcomerResult> {
    const { link, directory, processes } = this.pair;
    const place = [link.addresses.server, `${directory}/ca.pem`, `${directory}/ca.key`, `${NEWCOMERS}`];
    const newcomers = processes.start("newcomers", [...link.inside("client"), ...script("newcomers.ts", ...place)]);
    await waitForLog(newcomers, /}\n/, MOST_SECONDS * 1000);
    return JSON.parse(readFileSync(newcomers.log, "utf8"));
  }
}

/** One attack on each pair, then the next attack: the machine's speed changes for all alike. */
async function measure(subjects: readonly Subject[], plan: Plan, run: RunContext): Promise<Round> {
  const beds: Bed[] = [];
  try {
    for (const subject of subjects.filter(({ kind }) => kind.entry === "redirect-all")) {
      await Bed.open(subject, run).then((bed) => bed !== null && beds.push(bed), (e) => run.onFailure(subject, e));
    }
    for (const assault of ATTACK_CASES.filter(({ id }) => plan.attacks?.includes(id) ?? true)) {
      for (const bed of beds) {
        await bed.measure(assault, plan.seconds).catch((error) => run.onFailure(bed.subject, error));
      }
    }
    return new Map(beds.map(({ subject, sample }) => [subject.id, sample]));
  } finally {
    for (const { pair } of beds) await pair.stop();
  }
}

/** The rows of this file. */
export const ATTACK_ROWS: readonly Row[] = [{
  id: "attacks",
  title:
    `4 connections with 200 messages a second each, or ${NEWCOMERS} newcomers, beside an attack on the inbound port`,
  metrics,
  once: true,
  quick: false,
  measure,
}];
