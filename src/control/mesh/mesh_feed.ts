/**
 * Passes the resources of the control plane to the workers: checks each resource, packs the valid ones, and waits until
 * every worker has applied them. So an acknowledged response holds everywhere, and a slow worker delays the control
 * plane instead of filling memory.
 *
 * Policies are sent while an earlier response about workloads is still being applied, except for what would leave a
 * workload without a policy until that has been applied: removals, and policies that from now on hold for the workloads
 * that name them only.
 *
 * Nothing that was sent is kept here: messages to a worker that still starts wait in its queue, and when a worker dies
 * the process ends.
 */
import type { MeshChange } from "../../mesh/model/changes.ts";
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

/** The parts of one type that some worker has not applied. */
interface InFlight {
  count: number;
  /** The call of {@link MeshFeed.apply} that waits until there are at most so many. */
  waiting: { readonly most: number; readonly resolve: () => void } | null;
}

/** A part that some worker has not applied. */
interface SentPart {
  readonly type: ResourceType;
  readonly memory: SharedArrayBuffer;
  /** The workers that have not. */
  workers: number;
}

/** The sink of the control plane's resources. */
export class MeshFeed implements ResourceSink {
  readonly #parts: MeshFeedParts;
  readonly #decoder = new ResourceDecoder(SHARED_TEXTS);
  #sent = 0;
  /** By their sequence. */
  readonly #sentParts = new Map<number, SentPart>();
  readonly #inFlight: Readonly<Record<ResourceType, InFlight>> = {
    [ADDRESS_TYPE]: { count: 0, waiting: null },
    [AUTHORIZATION_TYPE]: { count: 0, waiting: null },
  };
  /** Memory of applied parts, to be used again. */
  readonly #free: SharedArrayBuffer[] = [];
  /** Policies that hold for a namespace or for all of them, and not for the workloads that name them. */
  readonly #wide = new Set<string>();

  constructor(parts: MeshFeedParts) {
    this.#parts = parts;
  }

  /** Resolves with the rejected resources once every worker has applied the others. */
  async apply(batch: ResourceBatch): Promise<readonly Rejection[]> {
    const { type, earlier } = batch;
    const unacceptable: Rejection[] = [], malformed: Rejection[] = [];
    /** Bodies of policies by their name. */
    const postponed = new Map<string, Uint8Array>();
    const log = this.#parts.events.log(batch.connection);
    const isTurnOver = this.#turnLimit();
    let sending = this.#begin(type);
    for (const { name, body } of batch.changed) {
      const decoded = this.#decoder.decode(type, name, body);
      this.#report(log, type, name, decoded);
      if (!decoded.ok) {
        (decoded.why === "unacceptable" ? unacceptable : malformed).push({ name, reason: decoded.reason });
      } else if ((this.#narrows(name, decoded.change) && earlier !== null) || postponed.has(name)) {
        postponed.set(name, body.slice());
      } else {
        // An Address contains its name.
        const key = type === ADDRESS_TYPE ? "" : name;
        if (!sending.writer.add(key, body)) await this.#addToNext(sending, key, body);
      }
      if (isTurnOver()) await this.#parts.turn();
    }
    if (earlier !== null && (postponed.size > 0 || !isEmpty(batch.removed))) {
      await this.#finish(sending);
      await earlier;
      sending = this.#begin(type);
    }
    for (const [name, body] of postponed) {
      if (!sending.writer.add(name, body)) await this.#addToNext(sending, name, body);
    }
    for (const name of batch.removed) {
      this.#reportRemoved(log, type, name);
      if (type === AUTHORIZATION_TYPE) this.#wide.delete(name);
      if (!sending.writer.add(name, null)) await this.#addToNext(sending, name, null);
      if (isTurnOver()) await this.#parts.turn();
    }
    await this.#finish(sending);
    return [...unacceptable, ...malformed];
  }

  /** The worker has applied the part. */
  applied(sequence: number): void {
    const part = this.#sentParts.get(sequence);
    if (part === undefined || --part.workers > 0) return;
    this.#sentParts.delete(sequence);
    if (part.memory.byteLength === PART_BYTES) this.#free.push(part.memory);
    const inFlight = this.#inFlight[part.type];
    inFlight.count--;
    if (inFlight.waiting === null || inFlight.count > inFlight.waiting.most) return;
    const { resolve } = inFlight.waiting;
    inFlight.waiting = null;
    resolve();
  }

  #begin(type: ResourceType): Sending {
    return { type, writer: this.#newWriter(0), isFirst: true };
  }

  /** Sends what is left of the batch. Resolves once every worker has applied all of it. */
  #finish(sending: Sending): Promise<void> {
    if (sending.writer.length > 0) this.#send(sending, true);
    else this.#free.push(sending.writer.memory);
    return this.#untilInFlight(sending.type, 0);
  }

  /** Whether the policy held for a namespace or for all, and now holds for the workloads that name it. */
  #narrows(name: string, change: MeshChange): boolean {
    if (change.kind !== "policy") return false;
    if (change.policy.scope === "WorkloadSelector") return this.#wide.delete(name);
    this.#wide.add(name);
    return false;
  }

  async #addToNext(sending: Sending, name: string, body: RawResource["body"] | null): Promise<void> {
    if (sending.writer.length > 0) this.#send(sending, false);
    await this.#untilInFlight(sending.type, WINDOW - 1);
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
    this.#sentParts.set(sequence, { type, memory, workers: this.#parts.workers });
    this.#inFlight[type].count++;
    this.#parts.send({ sequence, type, memory, length, first, last });
  }

  /** Resolves once at most `most` parts of the type are in flight. */
  #untilInFlight(type: ResourceType, most: number): Promise<void> {
    const inFlight = this.#inFlight[type];
    if (inFlight.count <= most) return Promise.resolve();
    return new Promise((resolve) => inFlight.waiting = { most, resolve });
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

function isEmpty(list: Iterable<unknown>): boolean {
  for (const _ of list) return false;
  return true;
}
