/**
 * Passes the resources of the control plane to the workers: checks each resource, packs the valid ones into parts, and
 * waits until every worker has applied them. So an acknowledged response holds everywhere, and a slow worker delays the control
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
import type { AddressPayload, PolicyPayload, ResourcePart } from "../../xds/resource_part.ts";
import {
  ADDRESS_TYPE,
  AUTHORIZATION_TYPE,
  type Rejection,
  type ResourceBatch,
  type ResourceSink,
  type ResourceType,
} from "../../xds/resources.ts";
import { AddressPacking, type Checked, type Packing, PolicyPacking } from "./part_packing.ts";

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
  /** Of hashes: that of the workers. */
  readonly hashSeed: number;
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
  readonly packing: Packing<AddressPayload | PolicyPayload>;
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
  release(): void;
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
  readonly #packings: Readonly<Record<ResourceType, Packing<AddressPayload | PolicyPayload>>>;
  /** Policies that hold for a namespace or for all of them, and not for the workloads that name them. */
  readonly #wide = new Set<string>();

  constructor(parts: MeshFeedParts) {
    this.#parts = parts;
    this.#packings = { [ADDRESS_TYPE]: new AddressPacking(parts.hashSeed), [AUTHORIZATION_TYPE]: new PolicyPacking() };
  }

  /** Resolves with the rejected resources once every worker has applied the others. */
  async apply(batch: ResourceBatch): Promise<readonly Rejection[]> {
    const { type, earlier } = batch;
    const unacceptable: Rejection[] = [], malformed: Rejection[] = [];
    /** Policies by their name. */
    const postponed = new Map<string, Checked>();
    const log = this.#parts.events.log(batch.connection);
    const isTurnOver = this.#turnLimit();
    let sending = this.#begin(type);
    for (const { name, body } of batch.changed) {
      const decoded = this.#decoder.decode(type, name, body);
      this.#report(log, type, name, decoded);
      if (!decoded.ok) {
        (decoded.why === "unacceptable" ? unacceptable : malformed).push({ name, reason: decoded.reason });
      } else if ((this.#narrows(name, decoded.change) && earlier !== null) || postponed.has(name)) {
        postponed.set(name, { name, body: body.slice(), change: decoded.change });
      } else {
        const resource = { name, body, change: decoded.change };
        if (!sending.packing.add(resource)) await this.#addToNext(sending, resource);
      }
      if (isTurnOver()) await this.#parts.turn();
    }
    if (earlier !== null && (postponed.size > 0 || !isEmpty(batch.removed))) {
      await this.#finish(sending);
      await earlier;
      sending = this.#begin(type);
    }
    for (const resource of postponed.values()) {
      if (!sending.packing.add(resource)) await this.#addToNext(sending, resource);
    }
    for (const name of batch.removed) {
      this.#reportRemoved(log, type, name);
      if (type === AUTHORIZATION_TYPE) this.#wide.delete(name);
      if (!sending.packing.remove(name)) {
        await this.#sendFull(sending, null);
        sending.packing.remove(name);
      }
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
    part.release();
    const inFlight = this.#inFlight[part.type];
    inFlight.count--;
    if (inFlight.waiting === null || inFlight.count > inFlight.waiting.most) return;
    const { resolve } = inFlight.waiting;
    inFlight.waiting = null;
    resolve();
  }

  #begin(type: ResourceType): Sending {
    return { type, packing: this.#packings[type], isFirst: true };
  }

  /** Sends what is left of the batch. Resolves once every worker has applied all of it. */
  #finish(sending: Sending): Promise<void> {
    if (!sending.packing.isEmpty) this.#send(sending, null, true);
    return this.#untilInFlight(sending.type, 0);
  }

  /** Whether the policy held for a namespace or for all, and now holds for the workloads that name it. */
  #narrows(name: string, change: MeshChange): boolean {
    if (change.kind !== "policy") return false;
    if (change.policy.scope === "WorkloadSelector") return this.#wide.delete(name);
    this.#wide.add(name);
    return false;
  }

  async #addToNext(sending: Sending, resource: Checked): Promise<void> {
    await this.#sendFull(sending, resource);
    sending.packing.add(resource);
  }

  /** Sends a part. The next one has room for `more`. */
  #sendFull(sending: Sending, more: Checked | null): Promise<void> {
    if (sending.packing.isEmpty) sending.packing.take(more, false).release();
    else this.#send(sending, more, false);
    return this.#untilInFlight(sending.type, WINDOW - 1);
  }

  #send(sending: Sending, more: Checked | null, last: boolean): void {
    const { type, packing, isFirst: first } = sending;
    const { payload, release } = packing.take(more, last);
    const sequence = ++this.#sent;
    sending.isFirst = false;
    this.#sentParts.set(sequence, { type, release, workers: this.#parts.workers });
    this.#inFlight[type].count++;
    this.#parts.send({ sequence, ...payload, first, last });
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
