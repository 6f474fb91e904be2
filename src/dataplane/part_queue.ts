/** The parts of one type that a worker has received and not applied, read in their order. */
import type { MeshChange } from "../mesh/model/changes.ts";
import type { ResourcePart } from "../xds/resource_part.ts";

/** Changes between two readings of the clock. */
const CHANGES = 8;

/** What a step has read. */
interface PartStep {
  readonly changes: readonly MeshChange[];
  /** The part that has been read to its end. */
  readonly ended: ResourcePart | null;
}

/** Main sends a few parts and waits until they are applied. */
export class PartQueue<P extends ResourcePart> {
  readonly #changesOf: (part: P) => Iterable<MeshChange>;
  readonly #queue: P[] = [];
  #changes: Iterator<MeshChange, void, undefined> | null = null;

  /** `changesOf` reads a part. */
  constructor(changesOf: (part: P) => Iterable<MeshChange>) {
    this.#changesOf = changesOf;
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  add(part: P): void {
    this.#queue.push(part);
  }

  /** Reads a few changes of the first part, or all of a part that is a whole batch. There must be a part. */
  step(): PartStep {
    const part = this.#queue[0]!;
    const source = this.#changes ??= this.#changesOf(part)[Symbol.iterator]();
    const changes: MeshChange[] = [];
    const most = isWhole(part) ? Infinity : CHANGES;
    while (changes.length < most) {
      const next = source.next();
      if (next.done) {
        this.#queue.shift();
        this.#changes = null;
        return { changes, ended: part };
      }
      changes.push(next.value);
    }
    return { changes, ended: null };
  }
}

/** The part is a whole batch. */
export function isWhole(part: ResourcePart): boolean {
  return part.first && part.last;
}
