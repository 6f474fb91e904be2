/**
 * Applies resources of the control plane to this isolate's mesh, without delaying its loop.
 *
 * A batch that fits into one part, as nearly all do, is applied at once: readers see all of it or nothing. A larger
 * batch of workloads and services is applied in slices. Between slices readers see some resources before the change and
 * others after it, never half of one, as if the control plane had sent several responses; before the first batch is
 * complete the proxy serves nothing.
 *
 * Policies do not wait for workloads and services, and are not paused for traffic: their parts are decoded in one slice
 * a turn. A batch of them is applied all at once, however large: with one of two ALLOW policies the calls that the other
 * one allows would be refused, and cut.
 *
 *     idle ──part──▶ working ──slice──▶ working          the loop has nothing else to do, or the parts are policies
 *       ▲               │  └───slice──▶ pausing ──pause──▶ working        it has, or had a moment ago
 *       └──all applied──┘
 */
import type { MeshChange } from "../mesh/model/changes.ts";
import { policyKey } from "../mesh/model/model.ts";
import type { Millis } from "../net/clock.ts";
import type { Scheduler } from "../net/network.ts";
import { ResourceDecoder } from "../xds/decode.ts";
import { addressChanges, recordsOf, type ResourcePart } from "../xds/resource_part.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from "../xds/resources.ts";
import { isWhole, PartQueue } from "./part_queue.ts";
import { FIRST_SLICE, UpdatePace } from "./update_pace.ts";

/** How many different texts policies share. */
const SHARED_TEXTS = 1 << 12;

type AddressPart = Extract<ResourcePart, { type: typeof ADDRESS_TYPE }>;
type PolicyPart = Extract<ResourcePart, { type: typeof AUTHORIZATION_TYPE }>;

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

/** Applies the parts of each type in their order. */
export class MeshUpdates {
  readonly #parts: MeshUpdatesParts;
  readonly #decoder = new ResourceDecoder(SHARED_TEXTS);
  readonly #addresses = new PartQueue<AddressPart>(addressChanges);
  readonly #policies = new PartQueue<PolicyPart>((part) => this.#policyChanges(part));
  readonly #pace = new UpdatePace();
  readonly #addressTurn = { runTurn: () => this.#applyAddresses() };
  readonly #policyTurn = { runTurn: () => this.#applyPolicies() };
  /** Policies of a batch that is not complete yet. */
  #unapplied: MeshChange[] = [];

  constructor(parts: MeshUpdatesParts) {
    this.#parts = parts;
  }

  /** Takes the next part. */
  receive(part: ResourcePart): void {
    switch (part.type) {
      case ADDRESS_TYPE:
        return this.#receiveAddresses(part);
      case AUTHORIZATION_TYPE:
        return this.#receivePolicies(part);
      default:
        part satisfies never;
    }
  }

  #receiveAddresses(part: AddressPart): void {
    const waits = !this.#addresses.isEmpty;
    this.#addresses.add(part);
    if (waits) return;
    if (isWhole(part)) return this.#stepAddresses();
    if (part.first) this.#pace.begin(this.#parts.arrivals());
    this.#parts.scheduler.nextTurn(this.#addressTurn);
  }

  #receivePolicies(part: PolicyPart): void {
    const waits = !this.#policies.isEmpty;
    this.#policies.add(part);
    if (waits) return;
    if (isWhole(part)) return this.#stepPolicies();
    this.#parts.scheduler.nextTurn(this.#policyTurn);
  }

  #applyAddresses(): void {
    const { now, scheduler, arrivals } = this.#parts;
    const end = now() + this.#pace.slice;
    while (!this.#addresses.isEmpty) {
      this.#stepAddresses();
      const at = now();
      if (at < end || this.#addresses.isEmpty) continue;
      const pause = this.#pace.pauseAfter(at, arrivals());
      if (pause > 0) scheduler.after(pause, this.#addressTurn.runTurn);
      else scheduler.nextTurn(this.#addressTurn);
      return;
    }
  }

  #applyPolicies(): void {
    const { now, scheduler } = this.#parts;
    const end = now() + FIRST_SLICE;
    while (!this.#policies.isEmpty) {
      if (now() >= end) return scheduler.nextTurn(this.#policyTurn);
      this.#stepPolicies();
    }
  }

  #stepAddresses(): void {
    const { changes, ended } = this.#addresses.step();
    this.#apply(changes);
    if (ended !== null) this.#parts.onApplied(ended.sequence);
  }

  #stepPolicies(): void {
    const { changes, ended } = this.#policies.step();
    this.#unapplied.push(...changes);
    if (ended === null) return;
    if (ended.last) {
      const policies = this.#unapplied;
      this.#unapplied = [];
      this.#apply(policies);
    }
    this.#parts.onApplied(ended.sequence);
  }

  *#policyChanges(part: PolicyPart): Generator<MeshChange, void, undefined> {
    for (const record of recordsOf(part)) {
      if (record.kind === "removed") {
        yield { kind: "remove-policy", key: policyKey(record.name) };
        continue;
      }
      const decoded = this.#decoder.decode(AUTHORIZATION_TYPE, record.name, record.body);
      if (decoded.ok) yield decoded.change;
      else this.#parts.onError(`${record.name}: ${decoded.reason}`);
    }
  }

  #apply(changes: readonly MeshChange[]): void {
    if (changes.length > 0) this.#parts.apply(changes);
  }
}
