/** The endpoints of a service that one kind of client may use, prepared for a weighted choice in logarithmic time. */
import type { Option } from "../model/reasons.ts";
import type { Upstream } from "../model/upstream.ts";

/** A random number in [0, 1), like `Math.random`. */
export type Random = () => number;

/** One endpoint of the pool. `upstream` is null where the endpoint has no port for the client. */
export interface Member {
  readonly capacity: number;
  readonly upstream: Upstream | null;
}

/** Chooses among endpoints by their capacity. An endpoint with capacity 0 is never chosen. */
export class EndpointPool {
  readonly #members: readonly Member[];
  /** Sums of capacities up to each member. */
  readonly #sums: readonly number[];

  constructor(members: readonly Member[]) {
    this.#members = members.filter((member) => member.capacity > 0);
    let sum = 0;
    this.#sums = this.#members.map((member) => sum += member.capacity);
  }

  get isEmpty(): boolean {
    return this.#members.length === 0;
  }

  /** Members that can be chosen. */
  get size(): number {
    return this.#members.length;
  }

  /** What {@link pick} chooses among, with weights. With a single member it draws no number. */
  get options(): readonly Option[] {
    return this.#members.map(({ capacity, upstream }) => ({
      name: upstream?.workload.uid ?? "an endpoint without the port",
      weight: capacity,
    }));
  }

  /** One member, with a chance in proportion to its capacity. Null: there is none, or the chosen one has no port. */
  pick(random: Random): Upstream | null {
    const last = this.#members.length - 1;
    if (last <= 0) return this.#members[0]?.upstream ?? null;
    const point = random() * this.#sums[last]!;
    let low = 0;
    let high = last;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sums[middle]! > point) high = middle;
      else low = middle + 1;
    }
    return this.#members[low]!.upstream;
  }
}
