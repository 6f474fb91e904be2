/**
 * Applies what the control plane said to this isolate's mesh, without holding its loop.
 *
 * What fits into one part, which is all that happens day by day, is applied at once: readers see all of it or nothing.
 * A larger batch of workloads and services is applied in slices. Between them a reader finds some resources as they
 * were and others as they are now, never half of one, as if the control plane had sent several responses; before the
 * first batch is whole the proxy serves nobody. Policies are applied all at once, however many: with one of two ALLOW
 * policies the calls that the other one allows would be refused, and cut.
 *
 *     idle ──part──▶ working ──slice──▶ working          the loop has nothing else to do
 *       ▲               │  └───slice──▶ resting ──pause──▶ working        it has, or had a moment ago
 *       └──all applied──┘
 */
import type { Millis } from "../net/clock.ts";
import type { MeshChange } from "../mesh/model/changes.ts";
import { policyKey } from "../mesh/model/model.ts";
import type { Scheduler, TurnTask } from "../net/network.ts";
import { ResourceDecoder } from "../xds/decode.ts";
import { type PartRecord, recordsOf, type ResourcePart } from "../xds/resource_part.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, type ResourceType } from "../xds/resources.ts";

/** How long one slice holds the loop. */
const SLICE: Millis = 0.5;
/** Between two slices in a busy loop: so traffic keeps thirty-one of thirty-two parts of its time. */
const PAUSE: Millis = 31 * SLICE;
/**
 * So many arrivals between two slices, two for each millisecond of a pause, make a loop busy for a while. Requests that
 * follow each other leave gaps, and who works in them delays all of the next ones. Fewer are let through one by one.
 */
const MANY = 2 * PAUSE;
const BUSY: Millis = 2 * PAUSE;
/** Records between two looks at the clock. */
const RECORDS = 8;
/** Different texts that resources share: two for each three workloads of the largest meshes. */
const SHARED_TEXTS = 1 << 16;

export interface MeshUpdatesParts {
  readonly scheduler: Pick<Scheduler, "nextTurn" | "after">;
  apply(changes: readonly MeshChange[]): void;
  /** The part is not needed any more; the last one of a batch: its changes hold. */
  onApplied(sequence: number): void;
  /** A resource that was checked cannot be used all the same. */
  onError(text: string): void;
  /** Milliseconds since whenever, read as often as it is called. */
  readonly now: () => Millis;
  /** Counts what arrives for others. */
  readonly arrivals: () => number;
}

export class MeshUpdates implements TurnTask {
  readonly #parts: MeshUpdatesParts;
  readonly #decoder = new ResourceDecoder(SHARED_TEXTS);
  /** The first one is being worked on. Main sends a few and waits for their end. */
  readonly #waiting: ResourcePart[] = [];
  #records: Iterator<PartRecord, void, undefined> | null = null;
  /** Policies of a batch that is not whole yet. */
  #held: MeshChange[] = [];
  /** What has arrived for others, and until when the loop counts as busy for that. */
  #arrivals = 0;
  #busyUntil: Millis = 0;
  /** The last slice was followed by a pause. */
  #rested = false;

  constructor(parts: MeshUpdatesParts) {
    this.#parts = parts;
  }

  receive(part: ResourcePart): void {
    if (this.#waiting.push(part) > 1) return;
    if (isWhole(part)) return this.#advance(part);
    this.#arrivals = this.#parts.arrivals();
    this.#parts.scheduler.nextTurn(this);
  }

  runTurn(): void {
    const { now, scheduler } = this.#parts;
    const end = now() + SLICE;
    for (let part = this.#waiting[0]; part !== undefined; part = this.#waiting[0]) {
      this.#advance(part);
      const at = now();
      if (at < end || this.#waiting.length === 0) continue;
      if (this.#mustRest(at)) scheduler.after(PAUSE, () => this.runTurn());
      else scheduler.nextTurn(this);
      return;
    }
  }

  /** Whether others are to have the loop now. What little arrived during a pause was served in it. */
  #mustRest(at: Millis): boolean {
    const arrivals = this.#parts.arrivals();
    const arrived = arrivals - this.#arrivals;
    this.#arrivals = arrivals;
    if (arrived >= MANY) this.#busyUntil = at + BUSY;
    return this.#rested = at < this.#busyUntil || (arrived > 0 && !this.#rested);
  }

  /** Some records of the part, or all of one that is a whole batch. */
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
    else this.#held.push(...changes);
    if (ended) this.#end(part);
  }

  #end(part: ResourcePart): void {
    this.#waiting.shift();
    this.#records = null;
    if (part.last) {
      const held = this.#held;
      this.#held = [];
      this.#apply(held);
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

/** A batch in one part. */
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
