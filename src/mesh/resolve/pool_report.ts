/** Reports as reasons which endpoints were used and left out when a pool was built. */
import type { RoutingScope, WorkloadUid } from "../model/model.ts";
import type { Reason } from "../model/reasons.ts";

/** Endpoints reported one by one; the others are counted. */
const MAX_LISTED = 100;

interface Ranked {
  readonly uid: WorkloadUid;
  readonly rank: number;
  readonly capacity: number;
  readonly note: string | null;
}

/** Collects the outcomes of endpoints. {@link end} writes those of usable ones, since it has to know the best rank. */
export class PoolReport {
  readonly #trace: Reason[];
  readonly #ranked: Ranked[] = [];
  #listed = 0;
  #omitted = 0;

  constructor(trace: Reason[]) {
    this.#trace = trace;
  }

  /** The endpoint cannot be used. */
  leftOut(uid: WorkloadUid, why: string): void {
    this.#report("endpoint.left-out", uid, () => why);
  }

  /**
   * The endpoint is usable, unless another has a higher rank. `note`: why it would have been left out, had there been
   * another one; null: nothing speaks against it.
   */
  ranked(uid: WorkloadUid, rank: number, capacity: number, note: string | null): void {
    this.#ranked.push({ uid, rank, capacity, note });
  }

  /** All endpoints were visited. `best`: the rank of those in the pool. */
  end(best: number, preferences: readonly RoutingScope[]): void {
    const nearness = preferences.length === 0 ? "" : ` by ${preferences.join(", ")}`;
    // Endpoints of the pool come first, so that they are never the omitted ones.
    for (const endpoint of this.#ranked) if (endpoint.rank === best) this.#report(...this.#kept(endpoint));
    for (const { uid, rank } of this.#ranked) {
      if (rank < best) {
        const why = () => `others are nearer${nearness}: rank ${best}, this one has ${rank}`;
        this.#report("endpoint.left-out", uid, why);
      }
    }
    if (this.#omitted > 0) this.#trace.push({ rule: "endpoint.more", text: `${this.#omitted} more endpoints` });
  }

  #kept({ uid, capacity, note }: Ranked): [string, WorkloadUid, () => string] {
    const doubt = note === null ? "" : `, as there is no better one (${note})`;
    return capacity > 0
      ? ["endpoint.usable", uid, () => `usable, with weight ${capacity}${doubt}`]
      : ["endpoint.left-out", uid, () => "its capacity is 0, so it is never chosen"];
  }

  #report(rule: string, uid: WorkloadUid, why: () => string): void {
    if (this.#listed === MAX_LISTED) {
      this.#omitted++;
      return;
    }
    this.#listed++;
    this.#trace.push({ rule, subject: uid, text: `${uid}: ${why()}` });
  }
}
