/**
 * Fields of log events. A string is written in quotes; a {@link Bare} text (addresses, ids, errors of the system),
 * numbers and booleans without quotes. A field without a value is left out (`docs/spec/config-admin.md` 6.3, 6.4).
 * Texts may come from peers, so line feeds and control characters are escaped.
 */
import type { Level } from "./log_level.ts";
import { jsonString, quote, visible } from "./rust_text.ts";

/** A text that plain lines show without quotes. In JSON lines it is a string like any other. */
class Bare {
  constructor(readonly text: string) {}
}

/** Marks a value as {@link Bare}. */
export const bare = (value: string | number | { toString(): string }): Bare => new Bare(String(value));

/** The value of a field. Null and undefined: the field is left out. */
type FieldValue = string | number | boolean | Bare | null | undefined;
/** Fields in the order of output. Names that begin with `log.` are not written. */
export type Fields = Readonly<Record<string, FieldValue>>;

/** The context of an event, `proxy{wl=shop/cart-0}`. */
export interface Span {
  readonly name: string;
  readonly fields?: Fields;
  /** Written where the filter passes an event of this level and target; by default info and the event's target. */
  readonly level?: Level;
  readonly target?: string;
}

/** Spans of an event, outermost first. */
export type Spans = readonly Span[];

/** An event without fields. */
export const NO_FIELDS: Fields = Object.freeze({});
/** An event without spans. */
export const NO_SPANS: Spans = Object.freeze([]);

/** The fields in a plain line: `a="x" b=1`. */
export function plainFields(fields: Fields): string {
  let text = "";
  for (const name in fields) {
    const value = fields[name];
    if (value === null || value === undefined || name.startsWith("log.")) continue;
    if (text !== "") text += " ";
    text += `${name}=${plainValue(value)}`;
  }
  return text;
}

function plainValue(value: string | number | boolean | Bare): string {
  if (typeof value === "string") return quote(value);
  return value instanceof Bare ? visible(value.text) : String(value);
}

/** The fields in a JSON line, each after a comma: `,"a":"x","b":1`. */
export function jsonFields(fields: Fields): string {
  let text = "";
  for (const name in fields) {
    const value = fields[name];
    if (value === null || value === undefined || name.startsWith("log.")) continue;
    text += `,${JSON.stringify(name)}:${jsonValue(value)}`;
  }
  return text;
}

function jsonValue(value: string | number | boolean | Bare): string {
  if (value instanceof Bare) return jsonString(value.text);
  return typeof value === "string" ? jsonString(value) : JSON.stringify(value) ?? "null";
}
