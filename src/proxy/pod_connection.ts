/**
 * The life of one connection of a pod, the same for all kinds (`docs/spec/dataplane.md` 1).
 *
 *     accepted ─▶ resolving ─▶ authorizing ─▶ connecting ─▶ handshaking ─▶ requesting ─▶ open ─▶ half-closed ─▶ ended
 *         └───────────┴─────────────┴─────────────┴─────────────┴──────────────┴───────────┴─── refused, failed, cut ─▲
 *
 * A kind of connection skips the phases that it has no use for:
 *
 *                               resolving  authorizing  connecting  handshaking  requesting  half-closed
 *     outbound, TCP                 x                       x                                     x
 *     outbound, HBONE               x                       x            x           x            x
 *     inbound, plain                x           x           x                                     x
 *     inbound, CONNECT stream       x           x           x                                     x
 *     inbound, a peer's TLS         x                                    x
 *
 * The record is opened when the destination is known. A connection that ends before that is refused: the log gets a
 * warning, and no counters move.
 */
import type { Workload } from "../mesh/model/model.ts";
import type { Reason } from "../mesh/model/reasons.ts";
import type { Call } from "../mesh/policy/authorize.ts";
import { traceIdOf } from "../mesh/headers/traceparent.ts";
import type { SocketAddress } from "../net/address.ts";
import type { Millis } from "../net/clock.ts";
import type {
  ConnectionEnding,
  ConnectionFacts,
  EndingCause,
  Phase,
  PhaseTimes,
} from "../telemetry/connection_ending.ts";
import type { ConnectionFailure, ConnectionRecord, ConnectionStart } from "../telemetry/connection_telemetry.ts";
import { flowBeforeRoute, type FlowParts } from "../telemetry/flow.ts";
import { bare } from "../telemetry/log_fields.ts";
import type { LogScope } from "../telemetry/log.ts";
import { connectionLog, logsDebug } from "./connection_log.ts";
import type { ConnectionSummary, LiveConnection, OutboundWay } from "./connections.ts";
import { type Copy, copyFailure, type CopyOutcome, type CopyOwner } from "./copy.ts";
import type { HalfClosedConnection } from "./half_closed.ts";
import { endingDecision, NO_ROUTE } from "./own_decisions.ts";
import type { PodContext } from "./pod_context.ts";
import type { Denial } from "./reassessing.ts";
import { logReasons } from "./reason_lines.ts";

/** Something in progress, or made for this connection alone. */
interface Pending {
  /** Ends it without an event. */
  abort(): void;
  /** Where it shows phases of its own. */
  readonly phase?: Phase;
}

const NO_DRY_RUNS: ConnectionFacts["dryRuns"] = [];
const NOTHING_ASKED: ReadonlySet<string> = new Set();
/** One connection of a pod, from accept to its end. Subclasses define what is resolved, what is owned and how it is cut. */
export abstract class PodConnection implements LiveConnection, CopyOwner, HalfClosedConnection, ConnectionFacts {
  protected readonly context: PodContext;
  readonly startedAt: Millis;
  registration = 0;
  halfClosed = 0;
  call: Call | null = null;
  /** Set with {@link traceparent}. */
  continuesTrace = false;
  /** {@link ConnectionFacts.decision} */
  decision: string | null = null;
  #phase: Phase = "accepted";
  #ending: ConnectionEnding | null = null;
  #pending: Pending | null = null;
  #record: ConnectionRecord | null = null;
  #copy: Copy | null = null;
  /** Names that the control plane was asked for. */
  #asked: Set<string> | null = null;
  /** Null until it is needed: most plain connections need none. */
  #traceparent: string | null;
  // Times of `PhaseTimes`, or -1. Whole ms, as other numbers would be objects.
  #resolvedAt = -1;
  #authorizedAt = -1;
  #connectedAt = -1;
  #handshakenAt = -1;
  #answeredAt = -1;

  /** `traceparent`: where the connection has one already. */
  constructor(context: PodContext, traceparent: string | null = null) {
    this.context = context;
    this.#traceparent = traceparent;
    this.startedAt = context.loop.network.now();
    context.connections.add(this);
  }

  get isSocket(): boolean {
    return true;
  }

  get way(): OutboundWay | null {
    return null;
  }

  get forwardedHost(): string | null {
    return null;
  }

  get summary(): ConnectionSummary | null {
    const { source, startedAt } = this;
    const destination = this.call?.target ?? this.destination;
    return { source, destination, service: this.#record?.service ?? null, startedAt };
  }

  /** The trace id, the same at both proxies of an HBONE connection: 32 hexadecimal digits. */
  get id(): string {
    return traceIdOf(this.traceparent);
  }

  get log(): LogScope {
    return connectionLog(this.context, this.id, this.direction === "inbound" ? this.source : null);
  }

  get dryRuns(): ConnectionFacts["dryRuns"] {
    return NO_DRY_RUNS;
  }

  get original(): SocketAddress {
    return this.destination;
  }

  get flow(): FlowParts | null {
    const { phase: state, direction, source, startedAt } = this;
    return this.#record?.flow(state) ??
      flowBeforeRoute({ direction, state, source, startedAt, facts: this }, this.context.loop.network.now());
  }

  get phase(): Phase {
    if (this.#phase === "open") return this.#copy?.isHalfClosed === true ? "half-closed" : "open";
    return this.#pending?.phase ?? this.#phase;
  }

  get isHalfClosed(): boolean {
    return this.phase === "half-closed";
  }

  get bytesCopied(): number {
    return this.#record?.bytes ?? 0;
  }

  /** Null before the end. */
  get ending(): ConnectionEnding | null {
    return this.#ending;
  }

  get tls(): ConnectionFacts["tls"] {
    return null;
  }

  get carrier(): number | null {
    return null;
  }

  get attempt(): number {
    return 1;
  }

  get times(): PhaseTimes {
    const time = (at: Millis) => at < 0 ? null : at;
    return {
      resolved: time(this.#resolvedAt),
      authorized: time(this.#authorizedAt),
      connected: time(this.#connectedAt),
      handshaken: time(this.#handshakenAt),
      answered: time(this.#answeredAt),
    };
  }

  /** Called once after construction. The connection may have ended when this returns. */
  start(): void {
    this.#phase = "resolving";
    const { local } = this.context;
    const known = local.current;
    if (known !== null) return this.resolve(known);
    const stop = local.wait((workload) => {
      this.#pending = null;
      if (workload !== null) return this.resolve(workload);
      this.#logNoWorkload();
      this.refuse(local.unknownMessage, NO_ROUTE);
    });
    this.#pending = { abort: stop };
    if (this.logsDebug) this.log.as("ztunnel::state").debug("wait for workload", { wl: bare(local.title) });
  }

  #logNoWorkload(): void {
    const { lines, local } = this.context;
    const text = `timed out waiting for workload '${local.title}' from xds`;
    lines.warn("no workload", this.log.as("ztunnel::state"), text);
  }

  cut(denial: Denial | null): void {
    if (this.hasEnded) return;
    const { phase } = this;
    this.reset();
    if (denial !== null) {
      const { message, id: decision } = denial;
      return this.finish({ flag: "DENY", message }, { by: "us", how: "policy", decision }, phase);
    }
    const ending = this.#end({ by: "us", how: "drain" }, phase);
    this.recordAtEnd()?.cancel(this.context.loop.network.now(), ending);
    this.context.connections.remove(this);
  }

  expire(message: string): void {
    this.reset();
    this.finish({ flag: "CONNECT", message }, { by: "us", how: "half-closed timeout" });
  }

  onHalfClosed(): void {
    this.context.halfClosed.add(this, this.direction);
  }

  onCopied(outcome: CopyOutcome, cause: EndingCause): void {
    this.finish(copyFailure(outcome), cause);
  }

  protected abstract readonly direction: "inbound" | "outbound";
  /** The addresses for the warning where the connection is refused. */
  protected abstract readonly source: SocketAddress;
  protected abstract readonly destination: SocketAddress;

  /** Finds out where the connection leads. `local` is the pod's workload. Called again after {@link lookUp}. */
  protected abstract resolve(local: Workload): void;

  /** Resets both sides: the connection is being cut. */
  protected abstract reset(): void;

  /** Frees what this kind of connection owns, as it has ended. Closes cleanly what was not reset before. */
  protected abstract release(): void;

  /** Whether lines at debug are written. Nothing of them may be made where they are not. */
  protected get logsDebug(): boolean {
    return logsDebug(this.context);
  }

  /** Logs why the mesh led the connection where it does. */
  protected logReasons(reasons: readonly Reason[]): void {
    if (reasons.length > 0) logReasons(this.log.as("ztunnel::state"), reasons);
  }

  /** The line at the end, at debug. */
  protected logEnd({ by, how, phase }: ConnectionEnding): void {
    const { component, loop } = this.context;
    const dur = bare(`${this.#elapsed(loop.network.now())}ms`);
    this.log.debug("connection completed", { component, dur, "ended.by": by, "ended.how": how, "ended.phase": phase });
  }

  /** The `traceparent` that the connection came with; null: none, so it gets a new one. */
  protected get receivedTraceparent(): string | null {
    return null;
  }

  get traceparent(): string {
    if (this.#traceparent !== null) return this.#traceparent;
    const received = this.receivedTraceparent;
    this.continuesTrace = received !== null;
    return this.#traceparent = received ?? this.context.newTraceparent();
  }

  /** The record to finish; null: the connection is not known well enough for one. */
  protected recordAtEnd(): ConnectionRecord | null {
    return this.#record;
  }

  protected get hasEnded(): boolean {
    return this.#phase === "ended";
  }

  protected get pending(): Pending | null {
    return this.#pending;
  }

  protected get record(): ConnectionRecord | null {
    return this.#record;
  }

  /** Names that were looked up for this connection; null: there are no lookups on demand. */
  protected get asked(): ReadonlySet<string> | null {
    return this.context.lookups === null ? null : this.#asked ?? NOTHING_ASKED;
  }

  /** Goes on to `phase`. `pending` is aborted when the connection ends in it. No effect after the end. */
  protected enter(phase: Phase, pending: Pending | null): void {
    if (this.hasEnded) return;
    if (phase !== "resolving") this.#noteTimes(phase);
    this.#phase = phase;
    this.#pending = pending;
  }

  #noteTimes(next: Phase): void {
    const elapsed = this.#elapsed(this.context.loop.network.now());
    if (this.#resolvedAt < 0) this.#resolvedAt = elapsed;
    if (this.#phase === "authorizing") this.#authorizedAt = elapsed;
    if (next === "open" && this.#phase === "connecting") this.#connectedAt = elapsed;
    else if (next === "open" && this.#phase === "handshaking") this.#handshakenAt = elapsed;
  }

  /** A CONNECT was answered, on a connection that was connected and secured at these times. */
  protected noteAnswer(connectedAt: Millis, securedAt: Millis): void {
    this.#connectedAt = this.#elapsed(connectedAt);
    this.#handshakenAt = this.#elapsed(securedAt);
    this.#answeredAt = this.#elapsed(this.context.loop.network.now());
  }

  #elapsed(now: Millis): number {
    return Math.max(0, Math.floor(now - this.startedAt));
  }

  /** Asks the control plane for `name`, then resolves again. */
  protected lookUp(name: string, local: Workload): void {
    (this.#asked ??= new Set()).add(name);
    const stop = this.context.lookups!.lookUp(name, (failure) => {
      this.#pending = null;
      if (failure === null) this.resolve(local);
      else this.refuse(failure, NO_ROUTE);
    });
    this.#pending = { abort: stop };
  }

  /** `startedAt`: when the duration of the connection began. */
  protected openRecord(start: ConnectionStart, startedAt: Millis): ConnectionRecord {
    return this.#record = this.context.telemetry.open(start, startedAt, this);
  }

  /** The connection carries bytes from now on. The caller starts `copy`. */
  protected copyThrough(copy: Copy): void {
    this.#copy = copy;
  }

  protected get copy(): Copy | null {
    return this.#copy;
  }

  /** Ends a connection that has no record yet. */
  protected refuse(message: string, cause: EndingCause): void {
    if (this.hasEnded) return;
    const ending = this.#end(cause, this.phase);
    const { direction, source, destination } = this;
    const refused = { direction, source, destination, error: message, facts: this, ending } as const;
    this.context.telemetry.refuse(refused, this.startedAt);
    this.context.connections.remove(this);
  }

  /** Ends a connection and its record. `failure`: null for a success. `phase`: the one in which it has ended. */
  protected finish(failure: ConnectionFailure | null, cause: EndingCause, phase = this.phase): void {
    if (this.hasEnded) return;
    const ending = this.#end(cause, phase);
    this.recordAtEnd()?.finish(this.context.loop.network.now(), ending, failure);
    this.context.connections.remove(this);
  }

  /**
   * Callers write to the log, then call `connections.remove`, in this order: removing the last connection may end the
   * drain and close the log.
   */
  #end(cause: EndingCause, phase: Phase): ConnectionEnding {
    const { by, how } = cause;
    // Never "ended": callers have checked that.
    const ending = { by, how, phase: phase as ConnectionEnding["phase"] };
    this.#phase = "ended";
    this.#ending = ending;
    const decision = endingDecision(cause);
    if (decision !== null) this.decision = decision;
    // Decisions of policies were counted when they were made.
    if (decision !== null && how !== "policy") this.context.decisions.add(decision);
    if (this.logsDebug) this.logEnd(ending);
    this.#pending?.abort();
    this.#pending = null;
    this.context.halfClosed.remove(this);
    this.release();
    return ending;
  }
}
