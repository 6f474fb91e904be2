/**
 * Takes what the control plane sends to the workers: checks each resource, packs the good ones, and waits until every
 * worker has applied them. So an acknowledged response holds everywhere, and a slow worker slows the control plane
 * down instead of filling memory.
 *
 * No worker is ever late: what is sent to one that still starts lies in its queue, and one that dies takes the process
 * with it. So nothing is kept here of what was sent.
 */
import type { Millis, TurnClock } from "../../net/clock.ts";
import type { Workload } from "../../mesh/model/model.ts";
import { invalidAltNames } from "../../mesh/model/workload_identity.ts";
import type { LogScope } from "../../telemetry/log.ts";
import { type Decoded, ResourceDecoder } from "../../xds/decode.ts";
import { PART_BYTES, PartWriter, type ResourcePart } from "../../xds/resource_part.ts";
import {
  ADDRESS_TYPE,
  AUTHORIZATION_TYPE,
  type RawResource,
  type Rejection,
  type ResourceBatch,
  type ResourceSink,
  type ResourceType,
} from "../../xds/resources.ts";

/** Parts on their way to the slowest worker. */
const WINDOW = 8;
/** How long the loop is held at a time. */
const SLICE: Millis = 10;
/** Resources between two looks at the clock. */
const RESOURCES = 16;
/** Nothing that is decoded here is kept, so only what comes again soon is worth remembering. */
const SHARED_TEXTS = 1 << 10;

/** A worker, as its number. */
export type FeedWorker = number;

export interface MeshFeedParts extends TurnClock {
  readonly workers: number;
  /** To every worker. Each answers with {@link MeshFeed.applied}. */
  send(part: ResourcePart): void;
  readonly events: MeshFeedEvents;
}

export interface MeshFeedEvents {
  workload(workload: Workload): void;
  /** The name of an Address resource: a workload's uid, or a service's. */
  addressRemoved(name: string): void;
  /** About what came over the connection of this number. */
  log(connection: number): FeedLog;
}

type FeedLog = Pick<LogScope, "info" | "warn">;

/** A batch on its way. */
interface Sending {
  readonly type: ResourceType;
  writer: PartWriter;
  isFirst: boolean;
}

export class MeshFeed implements ResourceSink {
  readonly #parts: MeshFeedParts;
  readonly #decoder = new ResourceDecoder(SHARED_TEXTS);
  /** The last part that each worker has applied. */
  readonly #applied: number[];
  #sent = 0;
  /** Parts that some worker has not applied, oldest first. */
  readonly #underWay: { readonly sequence: number; readonly memory: SharedArrayBuffer }[] = [];
  /** To be filled again. */
  readonly #free: SharedArrayBuffer[] = [];
  /** At most one call of {@link apply} waits at a time. */
  #waiting: { readonly most: number; readonly resolve: () => void } | null = null;

  constructor(parts: MeshFeedParts) {
    this.#parts = parts;
    this.#applied = new Array<number>(parts.workers).fill(0);
  }

  async apply(batch: ResourceBatch): Promise<readonly Rejection[]> {
    const { type } = batch;
    const sending: Sending = { type, writer: this.#newWriter(0), isFirst: true };
    const unacceptable: Rejection[] = [], malformed: Rejection[] = [];
    const log = this.#parts.events.log(batch.connection);
    const breath = this.#breathing();
    for (const { name, body } of batch.changed) {
      const decoded = this.#decoder.decode(type, name, body);
      this.#tell(log, type, name, decoded);
      if (decoded.ok) {
        // What an Address is called stands in it.
        const key = type === ADDRESS_TYPE ? "" : name;
        if (!sending.writer.add(key, body)) await this.#addToNext(sending, key, body);
      } else {
        (decoded.why === "unacceptable" ? unacceptable : malformed).push({ name, reason: decoded.reason });
      }
      if (breath()) await this.#parts.turn();
    }
    for (const name of batch.removed) {
      this.#tellRemoved(log, type, name);
      if (!sending.writer.add(name, null)) await this.#addToNext(sending, name, null);
      if (breath()) await this.#parts.turn();
    }
    if (sending.writer.length > 0) this.#send(sending, true);
    else this.#free.push(sending.writer.memory);
    await this.#untilUnderWay(0);
    return [...unacceptable, ...malformed];
  }

  /** The worker is done with the part. Parts come to an end in their order. */
  applied(worker: FeedWorker, sequence: number): void {
    this.#applied[worker] = sequence;
    const all = Math.min(...this.#applied);
    while (this.#underWay.length > 0 && this.#underWay[0]!.sequence <= all) {
      const { memory } = this.#underWay.shift()!;
      if (memory.byteLength === PART_BYTES) this.#free.push(memory);
    }
    if (this.#waiting === null || this.#underWay.length > this.#waiting.most) return;
    const { resolve } = this.#waiting;
    this.#waiting = null;
    resolve();
  }

  async #addToNext(sending: Sending, name: string, body: RawResource["body"] | null): Promise<void> {
    if (sending.writer.length > 0) this.#send(sending, false);
    await this.#untilUnderWay(WINDOW - 1);
    sending.writer = this.#newWriter(PartWriter.sizeOf(name, body));
    sending.writer.add(name, body);
  }

  #newWriter(size: number): PartWriter {
    if (size > PART_BYTES) return new PartWriter(new SharedArrayBuffer(size));
    return new PartWriter(this.#free.pop() ?? new SharedArrayBuffer(PART_BYTES));
  }

  #send(sending: Sending, last: boolean): void {
    const { type, writer: { memory, length }, isFirst: first } = sending;
    const sequence = ++this.#sent;
    sending.isFirst = false;
    this.#underWay.push({ sequence, memory });
    this.#parts.send({ sequence, type, memory, length, first, last });
  }

  /** Waits until at most so many parts are under way. */
  #untilUnderWay(most: number): Promise<void> {
    if (this.#underWay.length <= most) return Promise.resolve();
    return new Promise((resolve) => this.#waiting = { most, resolve });
  }

  /** Says when it is time to let others run. */
  #breathing(): () => boolean {
    const { now } = this.#parts;
    let count = 0;
    let until = now() + SLICE;
    return () => {
      if (++count % RESOURCES !== 0 || now() < until) return false;
      until = now() + SLICE;
      return true;
    };
  }

  #tell(log: FeedLog, type: ResourceType, name: string, decoded: Decoded): void {
    // Also of one that says what cannot be used (docs/spec/xds-state.md 3.7).
    if (type === AUTHORIZATION_TYPE && (decoded.ok || decoded.why === "unacceptable")) {
      log.info(`handling RBAC update ${name.slice(name.indexOf("/") + 1)}`);
    }
    if (!decoded.ok) return;
    if (decoded.warning !== null) log.warn(decoded.warning);
    if (decoded.change.kind === "workload") this.#parts.events.workload(decoded.change.workload);
    if (decoded.change.kind !== "service") return;
    for (const san of invalidAltNames(decoded.change.service)) {
      log.warn(`ignoring invalid SAN ${san} of service ${name}: it must be a SPIFFE id, spiffe://...`);
    }
  }

  #tellRemoved(log: FeedLog, type: ResourceType, name: string): void {
    if (type === AUTHORIZATION_TYPE) log.info(`handling RBAC delete ${name}`);
    else this.#parts.events.addressRemoved(name);
  }
}
