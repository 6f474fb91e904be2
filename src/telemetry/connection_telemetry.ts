/**
 * Records the outcome of a connection exactly once: counters and access log lines (`docs/spec/dataplane.md` 7.5, 8).
 *
 *     open ──▶ counting ──finish──▶ recorded
 *                    └────cancel───────┘        later calls are ignored
 */
import type { AccessLines } from "../config/access_lines.ts";
import type { SocketAddress } from "../net/address.ts";
import type { Millis } from "../net/clock.ts";
import { AccessLog, type AccessSubject, type RefusedConnection } from "./access_log.ts";
import type { ConnectionEnding, ConnectionFacts } from "./connection_ending.ts";
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

/** Makes the records of connections. */
export class ConnectionTelemetry {
  readonly #metrics: TrafficMetrics;

  readonly #access: AccessLog;

  /** `random`: numbers from 0 up to but not including 1, for the sample of access lines. */
  constructor(log: Log, metrics: TrafficMetrics, lines: AccessLines, random: () => number) {
    this.#metrics = metrics;
    this.#access = new AccessLog(log, random);
    this.#access.lines = lines;
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
    return new ConnectionRecord(this.#access, subject, series, startedAt);
  }

  /**
   * A connection failed at the endpoint of `start` and tries another one: one line, no counters. `attempt`: how many
   * endpoints it has tried.
   */
  attemptFailed(start: ConnectionStart, attempt: number, error: string, facts: ConnectionFacts): void {
    this.#access.attemptFailed(subjectOf(start, this.#metrics.labels.sides(start), facts), attempt, error);
  }

  /** A connection refused before it was routed: one line, no counters. */
  refuse(refused: RefusedConnection) {
    this.#access.failed(refused);
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
  readonly #subject: AccessSubject;
  readonly #series: TrafficSeries;
  readonly #startedAt: Millis;

  #received = 0;
  #sent = 0;
  #recorded = false;

  constructor(
    access: AccessLog,
    subject: AccessSubject,
    series: TrafficSeries,
    startedAt: Millis,
  ) {
    this.#access = access;
    this.#subject = subject;
    this.#series = series;
    this.#startedAt = startedAt;
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
    this.#received += bytes;
    this.#series.received += bytes;
  }

  /** Bytes written towards the client. */
  addSent(bytes: number) {
    this.#sent += bytes;
    this.#series.sent += bytes;
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
      duration: Math.max(0, Math.floor(now - this.#startedAt)),
      error,
      ending,
    });
  }
}
