/**
 * The log of one isolate: filter, format, clock and writer, made once by the wiring and passed on.
 *
 * Targets are the names that operators filter by (`ztunnel::proxy::outbound`, `access`; `docs/spec/config-admin.md`
 * 6.2).
 */
import { type Fields, NO_FIELDS, NO_SPANS, type Span, type Spans } from "./log_fields.ts";
import type { LogFilter } from "./log_filter.ts";
import type { LogFormat } from "./log_format.ts";
import { LEVEL, type Level, type LevelLimit } from "./log_level.ts";
import type { LogWriter } from "./log_writer.ts";
import { type Micros, timestamps } from "./timestamp.ts";

/** The parts of a log. */
interface LogParts {
  readonly filter: LogFilter;
  readonly format: LogFormat;
  readonly writer: LogWriter;
  /** Wall-clock time. */
  readonly clock: () => Micros;
}

/** Writes events that pass its filter. */
export class Log {
  readonly format: LogFormat;
  readonly #writer: LogWriter;
  readonly #clock: () => Micros;
  readonly #timestamp = timestamps();
  #filter: LogFilter;
  /** Cached limits of targets, cleared when the filter changes. Targets are few and constant. */
  readonly #limits = new Map<string, LevelLimit>();

  constructor(parts: LogParts) {
    this.format = parts.format;
    this.#writer = parts.writer;
    this.#clock = parts.clock;
    this.#filter = parts.filter;
  }

  get filter(): LogFilter {
    return this.#filter;
  }

  set filter(filter: LogFilter) {
    this.#filter = filter;
    this.#limits.clear();
  }

  /** Whether the filter passes events of this target and level. */
  isEnabled(target: string, level: Level): boolean {
    return level <= this.#filter.highest && level <= this.#limit(target);
  }

  #limit(target: string): LevelLimit {
    let limit = this.#limits.get(target);
    if (limit === undefined) {
      limit = this.#filter.limit(target);
      this.#limits.set(target, limit);
    }
    return limit;
  }

  /** Logs an event, if the filter passes it. `message` null: the line has fields only. */
  event(level: Level, target: string, message: string | null, fields = NO_FIELDS, spans = NO_SPANS) {
    if (!this.isEnabled(target, level)) return;
    const filter = this.#filter;
    if (filter.hasFields && level > filter.limit(target, Object.keys(fields))) return;
    const shown = spans.filter((span) => this.isEnabled(span.target ?? target, span.level ?? LEVEL.info));
    this.#writer.push(this.format.event(this.#timestamp(this.#clock()), level, target, message, fields, shown));
  }

  /** Logs an event with a constant message and rendered fields. The caller has checked {@link isEnabled}. */
  line(level: Level, target: string, message: string, fields: string) {
    this.#writer.push(this.format.line(this.#timestamp(this.#clock()), level, target, message, fields));
  }

  /** A log for events of one target and with these spans. */
  scope(target: string, ...spans: Span[]): LogScope {
    return new LogScope(this, target, spans);
  }

  /** Writes the collected lines; to be called at the end of a turn. */
  flush() {
    this.#writer.flush();
  }
}

/** Something whose lines have a span of their own. */
export interface Logged {
  /** Made by each use: check first whether the line passes the filter. */
  readonly log: LogScope;
}

/** A {@link Log} for one target, with constant spans. */
export class LogScope {
  constructor(readonly log: Log, readonly target: string, readonly spans: Spans = NO_SPANS) {}

  isEnabled(level: Level): boolean {
    return this.log.isEnabled(this.target, level);
  }

  /** A scope with the same spans and another target. */
  as(target: string): LogScope {
    return new LogScope(this.log, target, this.spans);
  }

  /** A scope with one more span, inside of the others. */
  within(span: Span): LogScope {
    return new LogScope(this.log, this.target, [...this.spans, span]);
  }

  error(message: string, fields?: Fields) {
    this.log.event(LEVEL.error, this.target, message, fields, this.spans);
  }
  warn(message: string, fields?: Fields) {
    this.log.event(LEVEL.warn, this.target, message, fields, this.spans);
  }
  info(message: string, fields?: Fields) {
    this.log.event(LEVEL.info, this.target, message, fields, this.spans);
  }
  debug(message: string, fields?: Fields) {
    this.log.event(LEVEL.debug, this.target, message, fields, this.spans);
  }
  trace(message: string, fields?: Fields) {
    this.log.event(LEVEL.trace, this.target, message, fields, this.spans);
  }
}
