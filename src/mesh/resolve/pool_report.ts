/** What became of each endpoint when a pool was built, as reasons. */
import type { RoutingScope, WorkloadUid } from "../model/model.ts";
import type { Reason } from "../model/reasons.ts";

/** Endpoints that are told one by one; of the others only the number. */
const TOLD = 100;

interface Ranked {
  readonly uid: WorkloadUid;
  readonly rank: number;
  readonly capacity: number;
}

export class PoolReport {
  readonly #trace: Reason[];
  readonly #ranked: Ranked[] = [];
  #told = 0;
  #untold = 0;

  constructor(trace: Reason[]) {
    this.#trace = trace;
  }

  leftOut(uid: WorkloadUid, why: string): void {
    this.#tell("endpoint.left-out", uid, () => why);
  }

  /** Usable, if none is nearer. */
  ranked(uid: WorkloadUid, rank: number, capacity: number): void {
    this.#ranked.push({ uid, rank, capacity });
  }

  /** `best`: the rank that was kept. */
  end(best: number, preferences: readonly RoutingScope[]): void {
    const nearness = preferences.length === 0 ? "" : ` by ${preferences.join(", ")}`;
    // Those that count first, so that they are never among the untold.
    for (const { uid, rank, capacity } of this.#ranked) {
      if (rank === best) this.#tell(...this.#kept(uid, capacity));
    }
    for (const { uid, rank } of this.#ranked) {
      if (rank < best) {
        this.#tell("endpoint.left-out", uid, () => `others are nearer${nearness}: rank ${best}, this one has ${rank}`);
      }
    }
    if (this.#untold > 0) this.#trace.push({ rule: "endpoint.more", text: `${this.#untold} more endpoints` });
  }

  #kept(uid: WorkloadUid, capacity: number): [string, WorkloadUid, () => string] {
    return capacity > 0
      ? ["endpoint.usable", uid, () => `usable, with weight ${capacity}`]
      : ["endpoint.left-out", uid, () => "its capacity is 0, so it is never chosen"];
  }

  #tell(rule: string, uid: WorkloadUid, why: () => string): void {
    if (this.#told === TOLD) {
      this.#untold++;
      return;
    }
    this.#told++;
    this.#trace.push({ rule, subject: uid, text: `${uid}: ${why()}` });
  }
}
