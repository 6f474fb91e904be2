/**
 * The endpoints that one outbound connection tries, one after the other (`docs/spec/dataplane.md` 1.5.3): made when the
 * first has failed before a byte of the application was sent, where the service has others.
 */
import type { FailureOrigin, TunnelFailure } from "../hbone/failure.ts";
import type { WorkloadUid } from "../mesh/model/model.ts";
import type { Upstream } from "../mesh/model/upstream.ts";
import type { NeedsDns, OutboundOutcome, OutboundRoute } from "../mesh/resolve/outbound.ts";
import type { EndpointHealth } from "../mesh/state/endpoint_health.ts";
import type { Millis } from "../net/clock.ts";

/** Endpoints that one connection tries at most. */
const MAX_ATTEMPTS = 3;
/**
 * For one attempt to connect where there are other endpoints. Long enough for an answer to the SYN that the kernel sends
 * after three seconds.
 */
const ATTEMPT_SHARE: Millis = 3500;
/** With less time than this left, no further attempt begins. */
const LEAST_SHARE: Millis = 1000;

/** ms for an attempt to connect that others may follow. `budget`: for all of them together. */
export function attemptShare(budget: Millis): Millis {
  return Math.min(ATTEMPT_SHARE, Math.floor(budget / MAX_ATTEMPTS));
}

/** The attempts of one connection. */
export class OutboundAttempts {
  readonly #deadline: Millis;
  readonly #share: Millis;
  readonly #tried = new Set<WorkloadUid>();
  #failed = 0;
  #last: TunnelFailure | null = null;

  /** `acceptedAt`: when the client's connection was accepted. `budget`: ms for all attempts to connect, from then. */
  constructor(acceptedAt: Millis, budget: Millis) {
    this.#deadline = acceptedAt + budget;
    this.#share = attemptShare(budget);
  }

  /** Workloads that were tried. */
  get tried(): ReadonlySet<WorkloadUid> {
    return this.#tried;
  }

  /** Attempts that have failed. */
  get failed(): number {
    return this.#failed;
  }

  /** The last failure; null before {@link add}. */
  get last(): TunnelFailure | null {
    return this.#last;
  }

  /** The next attempt, which has begun, is the last one that is allowed. */
  get isLast(): boolean {
    return this.#failed >= MAX_ATTEMPTS - 1;
  }

  /** ms for the next attempt to connect. `isLast`: no other follows. */
  limit(now: Millis, isLast: boolean): Millis {
    const left = Math.max(0, this.#deadline - now);
    return isLast ? left : Math.min(left, this.#share);
  }

  /** The attempt to connect to the endpoint of `route` has failed. Returns whether there is time for another one. */
  add({ endpoint, behind }: OutboundRoute, failure: TunnelFailure, now: Millis): boolean {
    if (endpoint !== null) this.#tried.add(endpoint.workload.uid);
    if (behind !== null) this.#tried.add(behind.workload.uid);
    this.#failed++;
    this.#last = failure;
    return this.#deadline - now >= LEAST_SHARE;
  }

  /** The next endpoint. `resolve` chooses one that is not in {@link tried} where it can. Null: there is none. */
  next(resolve: () => OutboundOutcome): OutboundRoute | NeedsDns | null {
    for (;;) {
      const outcome = resolve();
      if (outcome.kind === "needs-dns") return this.#tried.has(outcome.workload.uid) ? null : outcome;
      if (outcome.kind !== "route" || outcome.endpoint === null) return null;
      const { endpoint, behind } = outcome;
      if (!this.#tried.has(endpoint.workload.uid)) return outcome;
      // The gateways of this endpoint were all tried; another endpoint may have another gateway.
      if (behind === null || this.#tried.has(behind.workload.uid)) return null;
      this.#tried.add(behind.workload.uid);
    }
  }
}

/** Whether the service had other endpoints when the route was chosen. */
export function hasOthers({ endpoint, behind }: OutboundRoute): boolean {
  return endpoint !== null && endpoint.hasOthers || behind !== null && behind.hasOthers;
}

/** Whether another endpoint may be tried after a failure of this origin. */
export function mayHelp(origin: FailureOrigin): boolean {
  return origin === "peer" || origin === "beyond";
}

/** Passive health: an attempt begins. */
export function noteBegin(health: EndpointHealth, { endpoint, behind }: OutboundRoute): void {
  if (isChosen(endpoint)) health.begins(endpoint);
  if (isChosen(behind)) health.begins(behind);
}

/** Passive health: the endpoint has been reached. */
export function noteSuccess(health: EndpointHealth, { endpoint, behind }: OutboundRoute): void {
  if (isChosen(endpoint)) health.succeeded(endpoint);
  if (isChosen(behind)) health.succeeded(behind);
}

/**
 * Passive health: the attempt has failed. Where a waypoint or gateway answers that it cannot reach what is behind it, it
 * works itself; so of a waypoint nothing is recorded, and of a gateway that the endpoint behind it is away.
 */
export function noteFailure(
  health: EndpointHealth,
  { endpoint, behind, leadsTo }: OutboundRoute,
  { origin, message }: TunnelFailure,
): void {
  if (!mayHelp(origin)) return;
  if (isChosen(endpoint) && (origin === "peer" || leadsTo === "destination")) health.failed(endpoint, message);
  if (isChosen(behind)) health.failed(behind, message);
}

/** Whether it was chosen among the endpoints of a service. A workload that was called by its address has no others. */
function isChosen(upstream: Upstream | null): upstream is Upstream {
  return upstream !== null && upstream.service !== null;
}
