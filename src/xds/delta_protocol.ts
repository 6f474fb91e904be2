/**
 * The client's side of the delta protocol (`docs/spec/xds-state.md` 2.5 to 2.10), over all streams of a process. No
 * socket, no clock: it is told what happened and says what to send.
 *
 *     closed ──opened──▶ open ──received──▶ applying ──settled──▶ open ──▶ ...
 *        ▲                 │                    │
 *        └──────closed─────┴──────closed────────┘      what was applied counts, its ACK is not sent
 */
import { type DemandAnswer, type DemandLimits, Demands, type DemandStep } from "./demands.ts";
import { KnownResources } from "./known_resources.ts";
import type { DeltaRequest } from "./requests.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, type Rejection, RESOURCE_TYPES, type ResourceType } from "./resources.ts";
import type { ResourceNames } from "./name_list.ts";

/** A NACK goes into logs on either side, and istiod takes at most 4 MB. */
const NACK_MAX = 64 * 1024;

/** What a response says besides the content of its resources. */
export interface ResponseNames {
  readonly type: ResourceType;
  readonly changed: Iterable<ResourceNames>;
  readonly removed: Iterable<string>;
}

export class DeltaProtocol {
  readonly #onDemand: boolean;
  readonly #known: Record<ResourceType, KnownResources>;
  readonly #demands: Demands;
  /** Types whose first good response is still to come. */
  readonly #missing: Set<ResourceType>;
  /** Types of which a stream begins with nothing in place of a list of what is held, see {@link forgoClaims}. */
  readonly #claimless = new Set<ResourceType>();
  /** Those of which this stream began with nothing, and nothing was answered yet. */
  readonly #unclaimed = new Set<ResourceType>();
  /** On demand: what this stream has said of addresses. `lost`: that something is gone which was held. */
  #addresses: "nothing" | "all" | "lost" = "nothing";

  constructor(onDemand: boolean, limits?: DemandLimits) {
    this.#onDemand = onDemand;
    this.#known = { [ADDRESS_TYPE]: new KnownResources(onDemand), [AUTHORIZATION_TYPE]: new KnownResources(false) };
    this.#demands = new Demands(this.#known[ADDRESS_TYPE], limits);
    // What is asked for on demand may never come: only types that are wanted whole are waited for.
    this.#missing = new Set(onDemand ? [AUTHORIZATION_TYPE] : RESOURCE_TYPES);
  }

  /** All types have been answered and accepted once. Never false again. */
  get ready(): boolean {
    return this.#missing.size === 0;
  }

  /**
   * On demand: something is gone that was held. What has come in its place, such as the next pod of a service, is not
   * pushed, but comes when a stream begins (`docs/spec/observed.md` O3).
   */
  get hasLost(): boolean {
    return this.#addresses === "lost";
  }

  /** Resources held of a type. */
  count(type: ResourceType): number {
    return this.#known[type].size;
  }

  /** A stream was opened: what to send on it, in this order and at once. */
  opened(now: number): readonly DeltaRequest[] {
    const waitedFor = this.#demands.opened(now);
    return RESOURCE_TYPES.map((type) => {
      const asked = this.#onDemand && type === ADDRESS_TYPE;
      if (this.#claimless.has(type)) this.#unclaimed.add(type);
      const known = this.#unclaimed.has(type) ? [] : this.#known[type].versions();
      return {
        kind: "initial",
        type,
        mode: asked ? "on-demand" : "wildcard",
        versions: asked ? withUnanswered(known, waitedFor) : known,
      };
    });
  }

  closed(): void {
    this.#unclaimed.clear();
    this.#addresses = "nothing";
    this.#demands.closed();
  }

  /**
   * The list of what is held was too long for the control plane, which will not take it next time either. Later streams
   * begin as the first one did, and what their first answer leaves out is gone: {@link vanished}. On demand that is
   * nearly all; it comes back as it is asked for, and is claimed again. Returns false where there was no list.
   */
  forgoClaims(): boolean {
    const had = RESOURCE_TYPES.filter((type) => !this.#claimless.has(type) && this.#known[type].size > 0);
    for (const type of had) this.#claimless.add(type);
    return had.length > 0;
  }

  /** What is gone because a response that must name everything does not name it; in steps. Before {@link settle}. */
  *vanished(type: ResourceType, changed: Iterable<ResourceNames>): Generator<void, readonly string[]> {
    if (!this.#unclaimed.has(type)) return [];
    const present = new Set<string>();
    for (const { name } of changed) {
      present.add(name);
      yield;
    }
    const gone: string[] = [];
    for (const [name] of this.#known[type].versions()) {
      if (!present.has(name)) gone.push(name);
      yield;
    }
    return gone;
  }

  /** The type of a response, or null for one that we did not ask for: it is acknowledged and otherwise ignored. */
  typeOf(typeUrl: string): ResourceType | null {
    return RESOURCE_TYPES.find((type) => type === typeUrl) ?? null;
  }

  /**
   * A response was applied, apart from `rejections`. In steps: a response may have a million names. Those who wait are
   * told at its end, when all of it is there to be seen.
   */
  *settle({ type, changed, removed }: ResponseNames, rejections: readonly Rejection[], now: number): Generator<void> {
    const rejected = new Set(rejections.map(({ name }) => name));
    const known = this.#known[type];
    const asked = this.#onDemand && type === ADDRESS_TYPE;
    if (this.#unclaimed.delete(type) && asked) this.#claimless.delete(type);
    for (const { name, version, aliases } of changed) {
      // Of a rejected one the earlier version stays known, so that the next stream brings it again.
      if (!rejected.has(name)) known.remember(name, version, aliases);
      yield;
    }
    let lost = false;
    for (const name of removed) {
      if (known.forget(name)) lost = true;
      yield;
    }
    if (!asked) return;
    // The first response says all there is to say.
    if (this.#addresses === "nothing") this.#addresses = "all";
    else if (lost) this.#addresses = "lost";
    if (lost) this.#demands.lost();
    yield* this.#answerDemands(changed, removed, now);
  }

  *#answerDemands(changed: Iterable<ResourceNames>, removed: Iterable<string>, now: number): Generator<void> {
    for (const { name, aliases } of changed) {
      this.#demands.arrived(name);
      for (const alias of aliases) this.#demands.arrived(alias);
      yield;
    }
    for (const name of removed) {
      this.#demands.removed(name, now);
      yield;
    }
  }

  /** The answer to a response that was settled. */
  answer(typeUrl: string, nonce: string, rejections: readonly Rejection[]): DeltaRequest & { kind: "ack" | "nack" } {
    if (rejections.length > 0) return { kind: "nack", typeUrl, nonce, message: nackMessage(rejections) };
    const type = this.typeOf(typeUrl);
    if (type !== null) this.#missing.delete(type);
    return { kind: "ack", typeUrl, nonce };
  }

  /** See {@link Demands.demand}. Without on-demand mode everything is known that there is. */
  demand(name: string, now: number, onAnswer: (answer: DemandAnswer) => void): DemandStep {
    if (this.#onDemand) return this.#demands.demand(name, now, onAnswer);
    onAnswer("absent");
    return "nothing";
  }

  expireDemands(now: number): void {
    this.#demands.expire(now);
  }

  nextExpiry(): number | null {
    return this.#demands.nextExpiry();
  }

  close(): void {
    this.#demands.close();
  }
}

/** istiod takes names in this list for subscribed: that is how demands survive a reconnect. */
function* withUnanswered(
  known: Iterable<readonly [string, string]>,
  names: Iterable<string>,
): Generator<readonly [string, string]> {
  yield* known;
  for (const name of names) yield [name, ""];
}

/** All of them by name, as far as a message has room. */
function nackMessage(rejections: readonly Rejection[]): string {
  let message = "";
  for (const [index, { name, reason }] of rejections.entries()) {
    const part = `${index === 0 ? "" : "; "}${name}: ${reason}`;
    if (message.length + part.length > NACK_MAX) {
      return `${(message + part).slice(0, NACK_MAX)}... and ${rejections.length - index} more`;
    }
    message += part;
  }
  return message;
}
