/**
 * The client's side of the delta protocol (`docs/spec/xds-state.md` 2.5 to 2.10), over all streams of a process. It has
 * no socket and no clock: the caller reports what happened and sends the returned requests.
 *
 *     closed ──opened──▶ open ──received──▶ applying ──settled──▶ open ──▶ ...
 *        ▲                 │                    │
 *        └──────closed─────┴──────closed────────┘      applied resources stay known, their ACK is not sent
 */
import { type LookupLimits, type LookupResult, type LookupStep, PendingLookups } from "./lookups.ts";
import { KnownResources } from "./known_resources.ts";
import type { DeltaRequest } from "./requests.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, type Rejection, RESOURCE_TYPES, type ResourceType } from "./resources.ts";
import type { ResourceNames } from "./name_list.ts";

/** Bytes. A NACK is logged on both sides, and istiod accepts at most 4 MB. */
const NACK_MAX = 64 * 1024;

/** The names in a response. */
interface ResponseNames {
  readonly type: ResourceType;
  readonly changed: Iterable<ResourceNames>;
  readonly removed: Iterable<string>;
}

/** The state of the protocol: known resources, pending lookups, readiness. */
export class DeltaProtocol {
  readonly #onDemand: boolean;
  readonly #known: Record<ResourceType, KnownResources>;
  readonly #lookups: PendingLookups;
  /** Types without an accepted response so far. */
  readonly #missing: Set<ResourceType>;
  /** Types for which the first request of a stream lists no known resources, see {@link omitVersions}. */
  readonly #withoutVersions = new Set<ResourceType>();
  /** Types for which this stream began without a list and has had no response yet: the first one is complete. */
  readonly #awaitingAll = new Set<ResourceType>();
  /**
   * On demand: the state of addresses on this stream. `outdated`: a known resource was removed, and its replacement is
   * not pushed.
   */
  #addresses: "none" | "complete" | "outdated" = "none";

  constructor(onDemand: boolean, limits?: LookupLimits) {
    this.#onDemand = onDemand;
    this.#known = { [ADDRESS_TYPE]: new KnownResources(onDemand), [AUTHORIZATION_TYPE]: new KnownResources(false) };
    this.#lookups = new PendingLookups(this.#known[ADDRESS_TYPE], limits);
    // On demand there may be no response about addresses, so readiness depends on policies only.
    this.#missing = new Set(onDemand ? [AUTHORIZATION_TYPE] : RESOURCE_TYPES);
  }

  /** True after each type has had an accepted response; stays true. */
  get ready(): boolean {
    return this.#missing.size === 0;
  }

  /**
   * On demand: a known resource was removed. A replacement, such as the next pod of a service, is not pushed, but is
   * sent at the beginning of a stream (`docs/spec/observed.md` O3).
   */
  get isOutdated(): boolean {
    return this.#addresses === "outdated";
  }

  /** The number of known resources of a type. */
  count(type: ResourceType): number {
    return this.#known[type].size;
  }

  /** A stream was opened. Returns the requests to send at once, in this order. */
  opened(now: number): readonly DeltaRequest[] {
    const pending = this.#lookups.opened(now);
    return RESOURCE_TYPES.map((type) => {
      const isOnDemand = this.#onDemand && type === ADDRESS_TYPE;
      if (this.#withoutVersions.has(type)) this.#awaitingAll.add(type);
      const known = this.#awaitingAll.has(type) ? [] : this.#known[type].versions();
      return {
        kind: "initial",
        type,
        mode: isOnDemand ? "on-demand" : "wildcard",
        versions: isOnDemand ? withPending(known, pending) : known,
      };
    });
  }

  /** The stream has ended. */
  closed(): void {
    this.#awaitingAll.clear();
    this.#addresses = "none";
    this.#lookups.closed();
  }

  /**
   * The control plane refused the list of known resources as too long. Later streams begin without one, like the first
   * stream, and known resources that are missing in their first response are removed ({@link implicitlyRemoved}). On
   * demand these are almost all; they are looked up again when needed, and listed again. Returns false where no list was
   * sent.
   */
  omitVersions(): boolean {
    const had = RESOURCE_TYPES.filter((type) => !this.#withoutVersions.has(type) && this.#known[type].size > 0);
    for (const type of had) this.#withoutVersions.add(type);
    return had.length > 0;
  }

  /**
   * Returns the known resources that are missing in a response that must contain all of the type; none for other
   * responses. In steps; must be called before {@link settle}.
   */
  *implicitlyRemoved(type: ResourceType, changed: Iterable<ResourceNames>): Generator<void, readonly string[]> {
    if (!this.#awaitingAll.has(type)) return [];
    const present = new Set<string>();
    for (const { name } of changed) {
      present.add(name);
      yield;
    }
    const missing: string[] = [];
    for (const [name] of this.#known[type].versions()) {
      if (!present.has(name)) missing.push(name);
      yield;
    }
    return missing;
  }

  /** Returns the type of a response; null for one that was not requested, which is acknowledged and ignored. */
  typeOf(typeUrl: string): ResourceType | null {
    return RESOURCE_TYPES.find((type) => type === typeUrl) ?? null;
  }

  /**
   * A response was applied except for `rejections`: updates the known resources, then ends the lookups of its names. In
   * steps, as a response may have a million names. `now`: ms of the clock.
   */
  *settle({ type, changed, removed }: ResponseNames, rejections: readonly Rejection[], now: number): Generator<void> {
    const rejected = new Set(rejections.map(({ name }) => name));
    const known = this.#known[type];
    const isOnDemand = this.#onDemand && type === ADDRESS_TYPE;
    if (this.#awaitingAll.delete(type) && isOnDemand) this.#withoutVersions.delete(type);
    for (const { name, version, aliases } of changed) {
      // A rejected resource keeps its earlier version, so that the next stream sends it again.
      if (!rejected.has(name)) known.set(name, version, aliases);
      yield;
    }
    let hasRemoved = false;
    for (const name of removed) {
      if (known.delete(name)) hasRemoved = true;
      yield;
    }
    if (!isOnDemand) return;
    // The first response contains all pending names, also replacements of what it removes.
    if (this.#addresses === "none") this.#addresses = "complete";
    else if (hasRemoved) this.#addresses = "outdated";
    if (hasRemoved) this.#lookups.resourceRemoved();
    yield* this.#reportResults(changed, removed, now);
  }

  *#reportResults(changed: Iterable<ResourceNames>, removed: Iterable<string>, now: number): Generator<void> {
    for (const { name, aliases } of changed) {
      this.#lookups.found(name);
      for (const alias of aliases) this.#lookups.found(alias);
      yield;
    }
    for (const name of removed) {
      this.#lookups.removed(name, now);
      yield;
    }
  }

  /** Returns the ACK or NACK of a response; call it after {@link settle}. */
  acknowledge(
    typeUrl: string,
    nonce: string,
    rejections: readonly Rejection[],
  ): DeltaRequest & { kind: "ack" | "nack" } {
    if (rejections.length > 0) return { kind: "nack", typeUrl, nonce, message: nackMessage(rejections) };
    const type = this.typeOf(typeUrl);
    if (type !== null) this.#missing.delete(type);
    return { kind: "ack", typeUrl, nonce };
  }

  /** See {@link PendingLookups.lookUp}. Without on-demand mode all resources are known, so the result is `absent`. */
  lookUp(name: string, now: number, onResult: (result: LookupResult) => void): LookupStep {
    if (this.#onDemand) return this.#lookups.lookUp(name, now, onResult);
    onResult("absent");
    return "nothing";
  }

  /** See {@link PendingLookups.expire}. */
  expireLookups(now: number): void {
    this.#lookups.expire(now);
  }

  /** See {@link PendingLookups.nextExpiry}. */
  nextExpiry(): number | null {
    return this.#lookups.nextExpiry();
  }

  /** Ends all pending lookups. */
  close(): void {
    this.#lookups.close();
  }
}

/** Appends names with an empty version: istiod regards listed names as subscribed, so lookups survive a reconnect. */
function* withPending(
  known: Iterable<readonly [string, string]>,
  names: Iterable<string>,
): Generator<readonly [string, string]> {
  yield* known;
  for (const name of names) yield [name, ""];
}

/** Lists all rejections by name, up to the limit. */
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
