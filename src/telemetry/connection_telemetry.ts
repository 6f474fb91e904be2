/**
 * Records the outcome of a connection exactly once: counters and access log lines (`docs/spec/dataplane.md` 7.5, 8).
 *
 *     open ──▶ counting ──finish──▶ recorded
 *                    └────cancel───────┘        later calls are ignored
 */
import type { AccessLines } from "../config/access_lines.ts";
import type { SocketAddress } from "../net/address.ts";
import type { Clock, Millis } from "../net/clock.ts";
import { AccessLog, type AccessSubject, type RefusedConnection } from "./access_log.ts";
import type { ConnectionEnding, ConnectionFacts, FirstBytes, Phase } from "./connection_ending.ts";
import { elapsed, flowBeforeRoute, type FlowParts, flowTimes, flowTls } from "./flow.ts";
import type { FlowLog } from "./flow_log.ts";
import type { Log } from "./log.ts";
import { NO_FLAG, type ResponseFlag } from "./response_flags.ts";
import type { TrafficParties, TrafficService } from "./traffic_labels.ts";
import { countFlag, type TrafficMetrics, type TrafficSeries } from "./traffic_metrics.ts";

/** What is known when a connection opens. */
export interface ConnectionStart extends TrafficParties {
  readonly sourceAddress: SocketAddress;
  /**
   * Outbound: the dialled address. Inbound HBONE: the connection's local address. Passthrough: the original
   * destination.
   */
  readonly destinationAddress: SocketAddress;
  /** The authority of the CONNECT request; null without HBONE. */
  readonly hboneTarget: string | null;
}

/** Why a connection ended in error. `message` is a text of `docs/spec/dataplane.md` 9. */
export interface ConnectionFailure {
  readonly message: string;
  readonly flag: ResponseFlag;
}

const DRAINED = "connection closed due to connection drain";

/** Where outcomes are recorded. */
interface TelemetryParts {
  readonly log: Log;
  readonly metrics: TrafficMetrics;
  readonly lines: AccessLines;
  readonly flows: FlowLog;
  /** Numbers from 0 up to but not including 1, for the sample of access lines. */
  readonly random: () => number;
  /** The time of all durations. */
  readonly clock: Pick<Clock, "now">;
}

/** Makes the records of connections. */
export class ConnectionTelemetry {
  readonly #metrics: TrafficMetrics;
  readonly #access: AccessLog;
  readonly #flows: FlowLog;
  readonly #clock: Pick<Clock, "now">;

  constructor({ log, metrics, lines, flows, random, clock }: TelemetryParts) {
    this.#metrics = metrics;
    this.#access = new AccessLog(log, random);
    this.#access.lines = lines;
    this.#flows = flows;
    this.#clock = clock;
  }

  /** Changes which access lines are written, also those of open connections. */
  setAccessLines(lines: AccessLines): void {
    this.#access.lines = lines;
  }

  /**
   * Counts a connection as opened. `startedAt`: when its duration began, by the same clock as the time given to
   * `finish`.
   * Usually that is before this call; outbound, when the connection was accepted. `facts`: read when a line needs them.
   */
  open(start: ConnectionStart, startedAt: Millis, facts: ConnectionFacts): ConnectionRecord {
    const sides = this.#metrics.labels.sides(start);
    const series = this.#metrics.series(start, sides);
    series.opened++;
    const subject = subjectOf(start, sides, facts);
    this.#access.opened(subject);
    const record = new ConnectionRecord(this.#access, this.#flows, this.#clock, subject, series, startedAt);
    if (this.#flows.isFollowed) this.#flows.opened(record.flow("connecting"));
    return record;
  }

  /**
   * A connection failed at the endpoint of `start` and tries another one: one line, no counters. `attempt`: how many
   * endpoints it has tried.
   */
  attemptFailed(start: ConnectionStart, attempt: number, error: string, facts: ConnectionFacts): void {
    this.#access.attemptFailed(subjectOf(start, this.#metrics.labels.sides(start), facts), attempt, error);
  }

  /** A connection refused before it was routed: one line, no counters. */
  refuse(refused: RefusedConnection, startedAt: Millis) {
    this.#access.failed(refused);
    const { direction, source, facts, ending, error } = refused;
    this.#flows.ended("refused", {
      ...flowBeforeRoute({ direction, source, startedAt, state: "ended", facts }, this.#clock.now()),
      ending,
      error,
    });
  }
}

function subjectOf(
  start: ConnectionStart,
  sides: AccessSubject["sides"],
  facts: ConnectionFacts,
): AccessSubject {
  return {
    direction: start.reporter === "source" ? "outbound" : "inbound",
    source: start.sourceAddress,
    destination: start.destinationAddress,
    hboneTarget: start.hboneTarget,
    serviceHostname: hostnameOf(start.service),
    sides,
    mutualTls: start.mutualTls,
    facts,
  };
}

function hostnameOf(service: TrafficService | null): string | null {
  return service === null || service.hostname === "" ? null : service.hostname;
}

/** One open connection. Its owner calls `finish` or `cancel`; later calls do nothing. */
export class ConnectionRecord {
  readonly #access: AccessLog;
  readonly #flows: FlowLog;
  readonly #clock: Pick<Clock, "now">;
  readonly #subject: AccessSubject;
  readonly #series: TrafficSeries;
  readonly #startedAt: Millis;

  #received = 0;
  #sent = 0;
  #recorded = false;
  // Times of `FirstBytes`, or -1.
  #clientByteAt = -1;
  #serverByteAt = -1;
  /** When a byte was moved; before the first one, {@link #startedAt}. */
  #movedAt: Millis;

  constructor(
    access: AccessLog,
    flows: FlowLog,
    clock: Pick<Clock, "now">,
    subject: AccessSubject,
    series: TrafficSeries,
    startedAt: Millis,
  ) {
    this.#access = access;
    this.#flows = flows;
    this.#clock = clock;
    this.#subject = subject;
    this.#series = series;
    this.#startedAt = this.#movedAt = startedAt;
  }

  /** The hostname of the service; null: none. */
  get service(): string | null {
    return this.#subject.serviceHostname;
  }

  /** Bytes written so far, both ways. */
  get bytes(): number {
    return this.#received + this.#sent;
  }

  /** Bytes written towards the server. */
  addReceived(bytes: number) {
    const now = this.#movedAt = this.#clock.now();
    if (this.#received === 0) this.#clientByteAt = elapsed(this.#subject.facts.startedAt, now);
    this.#received += bytes;
    this.#series.received += bytes;
  }

  /** Bytes written towards the client. */
  addSent(bytes: number) {
    const now = this.#movedAt = this.#clock.now();
    if (this.#sent === 0) this.#serverByteAt = elapsed(this.#subject.facts.startedAt, now);
    this.#sent += bytes;
    this.#series.sent += bytes;
  }

  get #firstBytes(): FirstBytes {
    const client = this.#clientByteAt, server = this.#serverByteAt;
    return { clientByte: client < 0 ? null : client, serverByte: server < 0 ? null : server };
  }

  /** The connection as it is now, for tables and followers. */
  flow(state: Phase): FlowParts {
    return this.#flow(state, this.#clock.now(), null, null, null);
  }

  #flow(
    state: Phase,
    now: Millis,
    ending: ConnectionEnding | null,
    flag: ResponseFlag | null,
    error: string | null,
  ): FlowParts {
    const { direction, source, destination, hboneTarget, serviceHostname, sides, mutualTls, facts } = this.#subject;
    const outbound = direction === "outbound";
    return {
      direction,
      state,
      source,
      destination,
      target: outbound ? facts.original : hboneTarget ?? facts.original,
      sides,
      mutualTls,
      service: serviceHostname,
      isHbone: hboneTarget !== null,
      id: facts.id,
      traceparent: facts.traceparent,
      continuesTrace: facts.continuesTrace,
      tls: flowTls(facts.tls),
      carrier: facts.carrier,
      attempt: facts.attempt,
      decision: facts.decision,
      dryRuns: facts.dryRuns,
      times: flowTimes(facts.times, this.#firstBytes),
      bytesSent: outbound ? this.#received : this.#sent,
      bytesReceived: outbound ? this.#sent : this.#received,
      age: elapsed(this.#startedAt, now),
      idle: elapsed(this.#movedAt, now),
      ending,
      flag,
      error,
    };
  }

  /** The connection has ended. `failure`: null on success. */
  finish(now: Millis, ending: ConnectionEnding, failure: ConnectionFailure | null = null) {
    this.#record(now, ending, failure?.flag ?? NO_FLAG, failure !== null, failure?.message ?? null);
  }

  /** The connection was closed by a drain, which is an error in the log and no failure in the counters. */
  cancel(now: Millis, ending: ConnectionEnding) {
    this.#record(now, ending, NO_FLAG, false, DRAINED);
  }

  #record(now: Millis, ending: ConnectionEnding, flag: ResponseFlag, failed: boolean, error: string | null) {
    if (this.#recorded) return;
    this.#recorded = true;
    countFlag(this.#series.closed, flag);
    if (failed) countFlag(this.#series.failed, flag);
    // Metrics count by client and server, the log by the direction as seen from this side.
    const outbound = this.#subject.direction === "outbound";
    this.#access.complete(this.#subject, {
      bytesSent: outbound ? this.#received : this.#sent,
      bytesReceived: outbound ? this.#sent : this.#received,
      duration: elapsed(this.#startedAt, now),
      error,
      ending,
      firstBytes: this.#firstBytes,
    });
    this.#flows.ended("ended", this.#flow("ended", now, ending, flag, error));
  }
}
