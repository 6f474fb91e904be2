/**
 * Applies resources of the control plane to this isolate's mesh, without delaying its loop.
 *
 * A batch that fits into one part, as nearly all do, is applied at once: readers see all of it or nothing. A larger
 * batch of workloads and services is applied in slices. Between slices readers see some resources before the change and
 * others after it, never half of one, as if the control plane had sent several responses; before the first batch is
 * complete the proxy serves nothing. Policies are applied all at once, however many: with one of two ALLOW policies the
 * calls that the other one allows would be refused, and cut.
 *
 *     idle ──part──▶ working ──slice──▶ working          the loop has nothing else to do
 *       ▲               │  └───slice──▶ pausing ──PAUSE──▶ working        it has, or had a moment ago
 *       └──all applied──┘
 */
import type { MeshChange } from "../mesh/model/changes.ts";
import { policyKey } from "../mesh/model/model.ts";
import type { Millis } from "../net/clock.ts";
import type { Scheduler, TurnTask } from "../net/network.ts";
import { ResourceDecoder } from "../xds/decode.ts";
import { type PartRecord, recordsOf, type ResourcePart } from "../xds/resource_part.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, type ResourceType } from "../xds/resources.ts";

/** How long one slice takes the loop. */
const SLICE: Millis = 0.5;
/** Between two slices in a busy loop: traffic keeps 31 of 32 parts of the loop's time. */
const PAUSE: Millis = 31 * SLICE;
/**
 * So many arrivals between two slices, two for each millisecond of a pause, make the loop busy for {@link BUSY_TIME}:
 * requests that follow each other leave gaps, and work in those gaps delays the next requests. After fewer arrivals
 * there is one pause.
 */
const BUSY_ARRIVALS = 2 * PAUSE;
const BUSY_TIME: Millis = 2 * PAUSE;
/** Records between two readings of the clock. */
const RECORDS = 8;
/** How many different texts resources share: two for each three workloads of the largest meshes. */
const SHARED_TEXTS = 1 << 16;

/** What {@link MeshUpdates} needs. */
interface MeshUpdatesParts {
  readonly scheduler: Pick<Scheduler, "nextTurn" | "after">;
  apply(changes: readonly MeshChange[]): void;
  /** The part has been read. For the last part of a batch: all its changes are applied. */
  onApplied(sequence: number): void;
  /** A resource that main has validated cannot be decoded. */
  onError(text: string): void;
  /** ms since a fixed moment, of a clock that moves during a turn. */
  readonly now: () => Millis;
  /** A counter of connections and bytes that arrive at the loop. */
  readonly arrivals: () => number;
}

/** Applies the parts of batches in their order. */
export class MeshUpdates implements TurnTask {
  readonly #parts: MeshUpdatesParts;
  readonly #decoder = new ResourceDecoder(SHARED_TEXTS);
  /** The first one is being applied. Main sends a few and waits until they are applied. */
  readonly #queue: ResourcePart[] = [];
  #records: Iterator<PartRecord, void, undefined> | null = null;
  /** Policies of a batch that is not complete yet. */
  #policies: MeshChange[] = [];
  /** The counter of arrivals after the last slice. */
  #arrivals = 0;
  #busyUntil: Millis = 0;
  /** Whether the last slice was followed by a pause. */
  #hasPaused = false;

  constructor(parts: MeshUpdatesParts) {
    this.#parts = parts;
  }

  /** Takes the next part. */
  receive(part: ResourcePart): void {
    if (this.#queue.push(part) > 1) return;
    if (isWhole(part)) return this.#advance(part);
    this.#arrivals = this.#parts.arrivals();
    this.#parts.scheduler.nextTurn(this);
  }

  runTurn(): void {
    const { now, scheduler } = this.#parts;
    const end = now() + SLICE;
    for (let part = this.#queue[0]; part !== undefined; part = this.#queue[0]) {
      this.#advance(part);
      const at = now();
      if (at < end || this.#queue.length === 0) continue;
      if (this.#needsPause(at)) scheduler.after(PAUSE, () => this.runTurn());
      else scheduler.nextTurn(this);
      return;
    }
  }

  /** Whether the next slice has to wait. A few arrivals during a pause were served in it and cause no further one. */
  #needsPause(at: Millis): boolean {
    const arrivals = this.#parts.arrivals();
    const arrived = arrivals - this.#arrivals;
    this.#arrivals = arrivals;
    if (arrived >= BUSY_ARRIVALS) this.#busyUntil = at + BUSY_TIME;
    return this.#hasPaused = at < this.#busyUntil || (arrived > 0 && !this.#hasPaused);
  }

  /** Applies some records of the part, or all of a part that is a whole batch. */
  #advance(part: ResourcePart): void {
    const records = this.#records ??= recordsOf(part);
    const changes: MeshChange[] = [];
    const most = isWhole(part) ? Infinity : RECORDS;
    let ended = false;
    while (!ended && changes.length < most) {
      const next = records.next();
      if (next.done) ended = true;
      else this.#read(part.type, next.value, changes);
    }
    if (part.type === ADDRESS_TYPE) this.#apply(changes);
    else this.#policies.push(...changes);
    if (ended) this.#end(part);
  }

  #end(part: ResourcePart): void {
    this.#queue.shift();
    this.#records = null;
    if (part.last) {
      const policies = this.#policies;
      this.#policies = [];
      this.#apply(policies);
    }
    this.#parts.onApplied(part.sequence);
  }

  #apply(changes: readonly MeshChange[]): void {
    if (changes.length > 0) this.#parts.apply(changes);
  }

  #read(type: ResourceType, record: PartRecord, into: MeshChange[]): void {
    if (record.kind === "removed") {
      into.push(removal(type, record.name));
      return;
    }
    const decoded = this.#decoder.decode(type, record.name, record.body);
    if (decoded.ok) into.push(decoded.change);
    else this.#parts.onError(`${record.name}: ${decoded.reason}`);
  }
}

/** The part is a whole batch. */
function isWhole(part: ResourcePart): boolean {
  return part.first && part.last;
}

function removal(type: ResourceType, name: string): MeshChange {
  switch (type) {
    case ADDRESS_TYPE:
      return { kind: "remove-address", name };
    case AUTHORIZATION_TYPE:
      return { kind: "remove-policy", key: policyKey(name) };
    default:
      return type satisfies never;
  }
}
