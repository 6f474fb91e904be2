/** Takes a sample of the node each five seconds, and keeps an hour of them for the dashboard (`docs/dashboard.md`). */
import type { SampleSource } from "../admin/samples_route.ts";
import type { Clock, Millis, Timer } from "../net/clock.ts";
import { SampleRing } from "../telemetry/sample_ring.ts";
import type { WorkerFigures } from "../telemetry/worker_figures.ts";

/** What is known about the process as a whole. */
interface ProcessFigures {
  /** Seconds of CPU since the start. */
  readonly cpu: number;
  /** Resident memory, bytes. */
  readonly resident: number;
}

const EVERY: Millis = 5_000;
const KEPT = 720;

type SampleName = "time" | "workers" | keyof WorkerFigures | keyof ProcessFigures;
/** `busy` is the sum of all workers, so a reader needs their number. */
const NAMES: readonly SampleName[] = [
  "time",
  "workers",
  "cpu",
  "resident",
  "heap",
  "busy",
  "turns",
  "longest",
  "openInbound",
  "openOutbound",
  "openedInbound",
  "openedOutbound",
  "denied",
  "failed",
  "refused",
  "handshakes",
  "handshakesFailed",
  "handshakesWaiting",
  "bytesToServers",
  "bytesToClients",
  "held",
];

/** Where a sampler gets its numbers. */
interface SamplerParts {
  readonly clock: Clock;
  readonly workers: number;
  /** The figures of all workers together. */
  readonly figures: () => Promise<WorkerFigures>;
  readonly process: () => ProcessFigures;
}

/** The samples. `start` and `stop` control it. */
export class NodeSampler implements SampleSource {
  readonly every = EVERY;
  readonly names = NAMES;
  readonly #parts: SamplerParts;
  readonly #ring = new SampleRing(NAMES, KEPT);
  readonly #followers = new Set<(row: readonly number[]) => void>();
  #timer: Timer | null = null;
  #isAsking = false;

  constructor(parts: SamplerParts) {
    this.#parts = parts;
  }

  rows(): readonly (readonly number[])[] {
    return this.#ring.rows();
  }

  follow(onSample: (row: readonly number[]) => void): () => void {
    this.#followers.add(onSample);
    return () => void this.#followers.delete(onSample);
  }

  /** Takes the first sample at once. */
  start(): void {
    this.#timer = this.#parts.clock.after(EVERY, () => this.start());
    // Workers that have not answered yet are too busy for another question.
    if (!this.#isAsking) this.#take().catch(() => {});
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** Rejects when a worker dies, which ends the process. */
  async #take(): Promise<void> {
    const { clock, workers, figures, process } = this.#parts;
    this.#isAsking = true;
    const sum = await figures();
    this.#isAsking = false;
    const row = this.#ring.push({ time: clock.now(), workers, ...process(), ...rounded(sum) });
    for (const follower of this.#followers) follower(row);
  }
}

/** Times to microseconds: shorter as JSON. */
function rounded(figures: WorkerFigures): WorkerFigures {
  const round = (millis: Millis) => Math.round(millis * 1000) / 1000;
  return { ...figures, busy: round(figures.busy), longest: round(figures.longest) };
}
