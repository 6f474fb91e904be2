/**
 * Passes the resources of the control plane to the workers: checks each resource, packs the valid ones, and waits until
 * every worker has applied them. So an acknowledged response holds everywhere, and a slow worker delays the control
 * plane instead of filling memory.
 *
 * Nothing that was sent is kept here: messages to a worker that still starts wait in its queue, and when a worker dies
 * the process ends.
 */
import type { Workload } from "../../mesh/model/model.ts";
import { invalidAltNames } from "../../mesh/model/workload_identity.ts";
import type { Millis, TurnClock } from "../../net/clock.ts";
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

/** Parts that the slowest worker may have left to apply. */
const WINDOW = 8;
/** The longest time for which the loop is held. */
const SLICE: Millis = 10;
/** Resources between two reads of the clock. */
const RESOURCES = 16;
/** Texts that the decoder shares. Decoded values are not kept here, so only recent texts are worth it. */
const SHARED_TEXTS = 1 << 10;

/** A worker, by its number. */
type FeedWorker = number;

interface MeshFeedParts extends TurnClock {
  readonly workers: number;
  /** Sends a part to every worker. Each answers with {@link MeshFeed.applied}. */
  send(part: ResourcePart): void;
  readonly events: MeshFeedEvents;
}

/** What the main isolate learns of the resources. */
interface MeshFeedEvents {
  /** A workload was added or changed. */
  workload(workload: Workload): void;
  /** The name of an Address resource: a workload's uid, or a service's. */
  addressRemoved(name: string): void;
  /** The log for what arrived over the connection with this number. */
  log(connection: number): FeedLog;
}

type FeedLog = Pick<LogScope, "info" | "warn">;

/** A batch that is being sent. */
interface Sending {
  readonly type: ResourceType;
  writer: PartWriter;
  isFirst: boolean;
}

/** The sink of the control plane's resources. */
export class MeshFeed implements ResourceSink {
  readonly #parts: MeshFeedParts;
  readonly #decoder = new ResourceDecoder(SHARED_TEXTS);
  /** The last part that each worker has applied. */
  readonly #applied: number[];
  #sent = 0;
  /** Parts that some worker has not applied, oldest first. */
  readonly #inFlight: { readonly sequence: number; readonly memory: SharedArrayBuffer }[] = [];
  /** Memory of applied parts, to be used again. */
  readonly #free: SharedArrayBuffer[] = [];
  /** The waiting call of {@link apply}; there is at most one. */
  #waiting: { readonly most: number; readonly resolve: () => void } | null = null;

  constructor(parts: MeshFeedParts) {
    this.#parts = parts;
    this.#applied = new Array<number>(parts.workers).fill(0);
  }

  /** Resolves with the rejected resources once every worker has applied the others. */
  async apply(batch: ResourceBatch): Promise<readonly Rejection[]> {
    const { type } = batch;
    const sending: Sending = { type, writer: this.#newWriter(0), isFirst: true };
    const unacceptable: Rejection[] = [], malformed: Rejection[] = [];
    const log = this.#parts.events.log(batch.connection);
    const isTurnOver = this.#turnLimit();
    for (const { name, body } of batch.changed) {
      const decoded = this.#decoder.decode(type, name, body);
      this.#report(log, type, name, decoded);
      if (decoded.ok) {
        // An Address contains its name.
        const key = type === ADDRESS_TYPE ? "" : name;
        if (!sending.writer.add(key, body)) await this.#addToNext(sending, key, body);
      } else {
        (decoded.why === "unacceptable" ? unacceptable : malformed).push({ name, reason: decoded.reason });
      }
      if (isTurnOver()) await this.#parts.turn();
    }
    for (const name of batch.removed) {
      this.#reportRemoved(log, type, name);
      if (!sending.writer.add(name, null)) await this.#addToNext(sending, name, null);
      if (isTurnOver()) await this.#parts.turn();
    }
    if (sending.writer.length > 0) this.#send(sending, true);
    else this.#free.push(sending.writer.memory);
    await this.#untilInFlight(0);
    return [...unacceptable, ...malformed];
  }

  /** The worker has applied the part. Parts are applied in their order. */
  applied(worker: FeedWorker, sequence: number): void {
    this.#applied[worker] = sequence;
    const all = Math.min(...this.#applied);
    while (this.#inFlight.length > 0 && this.#inFlight[0]!.sequence <= all) {
      const { memory } = this.#inFlight.shift()!;
      if (memory.byteLength === PART_BYTES) this.#free.push(memory);
    }
    if (this.#waiting === null || this.#inFlight.length > this.#waiting.most) return;
    const { resolve } = this.#waiting;
    this.#waiting = null;
    resolve();
  }

  async #addToNext(sending: Sending, name: string, body: RawResource["body"] | null): Promise<void> {
    if (sending.writer.length > 0) this.#send(sending, false);
    await this.#untilInFlight(WINDOW - 1);
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
    this.#inFlight.push({ sequence, memory });
    this.#parts.send({ sequence, type, memory, length, first, last });
  }

  /** Resolves once at most `most` parts are in flight. */
  #untilInFlight(most: number): Promise<void> {
    if (this.#inFlight.length <= most) return Promise.resolve();
    return new Promise((resolve) => this.#waiting = { most, resolve });
  }

  /** The result says, for each resource, whether the loop has been held long enough. */
  #turnLimit(): () => boolean {
    const { now } = this.#parts;
    let count = 0;
    let until = now() + SLICE;
    return () => {
      if (++count % RESOURCES !== 0 || now() < until) return false;
      until = now() + SLICE;
      return true;
    };
  }

  #report(log: FeedLog, type: ResourceType, name: string, decoded: Decoded): void {
    // Also for a policy that cannot be used (docs/spec/xds-state.md 3.7).
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

  #reportRemoved(log: FeedLog, type: ResourceType, name: string): void {
    if (type === AUTHORIZATION_TYPE) log.info(`handling RBAC delete ${name}`);
    else this.#parts.events.addressRemoved(name);
  }
}
