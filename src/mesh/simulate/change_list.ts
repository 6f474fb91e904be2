/** Gathers changes: equal ones are counted together, and their number is bounded. */
import type { Change, ChangeList } from "./result.ts";

/** Changes that are listed. */
export const CHANGES_MAX = 1_000;
const IDS_MAX = 3;

/** Gathers the changes of one kind. */
export class Changes {
  readonly list: ChangeList = { evaluated: 0, skipped: 0, refused: 0, allowed: 0, changes: [], more: 0 };
  readonly #byKey = new Map<string, Change>();

  /** Adds a change of `count` connections or pairs. */
  add(change: Change): void {
    const { list } = this;
    if (change.change === "refused") list.refused += change.count;
    else list.allowed += change.count;
    const key = keyOf(change);
    const known = this.#byKey.get(key);
    if (known !== undefined) {
      known.count += change.count;
      known.ids.push(...change.ids.slice(0, IDS_MAX - known.ids.length));
    } else if (list.changes.length >= CHANGES_MAX) {
      list.more++;
    } else {
      this.#byKey.set(key, change);
      list.changes.push(change);
    }
  }

  /** Adds the changes of another isolate. */
  addAll(other: ChangeList): void {
    const { list } = this;
    list.evaluated += other.evaluated;
    list.skipped += other.skipped;
    for (const change of other.changes) this.add(change);
    // Those that `other` has only counted.
    const listed = (kind: Change["change"]) => sum(other.changes.filter(({ change }) => change === kind));
    list.refused += other.refused - listed("refused");
    list.allowed += other.allowed - listed("allowed");
    list.more += other.more;
  }
}

/** Sorts changes by their source and their first destination: the mesh has no order that stays. */
export function sortChanges(changes: Change[]): void {
  const keys = new Map(changes.map((change) => [change, placeOf(change)]));
  changes.sort((a, b) => keys.get(a)! < keys.get(b)! ? -1 : 1);
}

function placeOf({ source, destinations }: Change): string {
  const { namespace, workload, ports } = destinations[0]!;
  return [source.identity, source.workload, source.address, namespace, workload, ports.join(), ""].join(" ");
}

function sum(changes: readonly Change[]): number {
  return changes.reduce((total, { count }) => total + count, 0);
}

function keyOf({ change, source, destinations, otherPorts, before, after }: Change): string {
  const { identity, workload, address } = source;
  const ends = [identity, workload, address, destinations, otherPorts];
  return JSON.stringify([change, ...ends, before.policy, after.policy]);
}
