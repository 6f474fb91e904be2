/**
 * Fields of log events. A string is shown quoted; a {@link Bare} text (addresses, ids, errors of the system) without
 * quotes; numbers and booleans bare. A field without a value is left out (`docs/spec/config-admin.md` 6.3, 6.4).
 * Whoever wrote a text, nothing in it ends the line or speaks to the terminal.
 */
import type { Level } from "./log_level.ts";
import { jsonString, quote, visible } from "./rust_text.ts";

/** A text that plain lines show without quotes. JSON lines make no difference. */
export class Bare {
  constructor(readonly text: string) {}
}

export const bare = (value: string | number | { toString(): string }): Bare => new Bare(String(value));

export type FieldValue = string | number | boolean | Bare | null | undefined;
/** In the order in which they are shown. Names that begin with `log.` are not shown. */
export type Fields = Readonly<Record<string, FieldValue>>;

/** What an event happened in, as `proxy{wl=shop/cart-0}`. */
export interface Span {
  readonly name: string;
  readonly fields?: Fields;
  /** Shown where the filter lets an event of this level and target pass; info and the event's target where missing. */
  readonly level?: Level;
  readonly target?: string;
}

/** Outermost first. */
export type Spans = readonly Span[];

export const NO_FIELDS: Fields = Object.freeze({});
export const NO_SPANS: Spans = Object.freeze([]);

/** `a="x" b=1` */
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

/** `,"a":"x","b":1`: each field with a comma before it. */
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
