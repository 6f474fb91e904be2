/**
 * Which lines of the access log are written, and with which fields: `ACCESS_LOG`, `ACCESS_LOG_SAMPLE`, `ACCESS_LOG_FIELDS`,
 * and `/logging` at run time.
 */
import { type Parsed, parsed, parseFloat64, refused } from "./scalars.ts";

const MODES = ["all", "failures", "off"] as const;
const FIELD_SETS = ["default", "extended"] as const;

/** The choice of lines. Counters, tables and traces do not depend on it. */
export interface AccessLines {
  /** `failures`: connections that failed, were refused, or were cut. */
  readonly mode: (typeof MODES)[number];
  /** The part of the successful connections that are logged with mode `all`, from 0 to 1. */
  readonly sample: number;
  /** `default`: those of the native proxy. `extended`: also the trace id and how the connection ended. */
  readonly fields: (typeof FIELD_SETS)[number];
}

/** Every connection is logged. */
export const ALL_LINES: AccessLines = { mode: "all", sample: 1, fields: "default" };

/** Parses `ACCESS_LOG`. */
export function parseAccessMode(text: string): Parsed<AccessLines["mode"]> {
  const mode = MODES.find((name) => name === text);
  return mode === undefined ? refused(`must be one of ${MODES.join(", ")}`) : parsed(mode);
}

/** Parses `ACCESS_LOG_FIELDS`. */
export function parseAccessFields(text: string): Parsed<AccessLines["fields"]> {
  const fields = FIELD_SETS.find((name) => name === text);
  return fields === undefined ? refused(`must be one of ${FIELD_SETS.join(", ")}`) : parsed(fields);
}

/** Parses `ACCESS_LOG_SAMPLE`: `0.1` or `10%`. */
export function parseSample(text: string): Parsed<number> {
  const isPercent = text.endsWith("%");
  const number = parseFloat64(isPercent ? text.slice(0, -1) : text);
  if (!number.ok) return number;
  const sample = isPercent ? number.value / 100 : number.value;
  return sample >= 0 && sample <= 1 ? parsed(sample) : refused("must be from 0 to 1, or from 0% to 100%");
}

/** The choice in words, as `/logging` and the log report it. */
export function describeAccessLines({ mode, sample, fields }: AccessLines): string {
  const lines = mode === "all" && sample < 1
    ? `failures and ${Number((sample * 100).toFixed(4))} % of successes`
    : mode;
  return fields === "default" ? lines : `${lines}, with ${fields} fields`;
}
