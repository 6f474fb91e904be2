/**
 * Texts in the form operators' tools expect from the native proxy: quoted strings and durations
 * (`docs/spec/config-admin.md` 6.3).
 */

/** Anything that a quoted string does not show as it is: quotes, backslashes, what cannot be printed. */
const UNUSUAL = /["\\]|[^\x20-\x7e]/;
const NOT_PLAIN = /[^\x20-\x7e]/;
const ESCAPED = /["\\\p{C}\p{Zl}\p{Zp}\p{Grapheme_Extend}]|(?! )\p{Zs}/gu;
const NAMED = new Map([['"', '\\"'], ["\\", "\\\\"], ["\n", "\\n"], ["\r", "\\r"], ["\t", "\\t"], ["\0", "\\0"]]);

/** In double quotes; printable Unicode stays, the rest becomes `\n`, `\u{7f}` and the like. */
export function quote(text: string): string {
  return UNUSUAL.test(text) ? `"${text.replace(ESCAPED, escape)}"` : `"${text}"`;
}

function escape(char: string): string {
  return NAMED.get(char) ?? `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`;
}

/** Controls, line and column separators among them, marks that turn the direction of text, halves of characters. */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/**
 * The same for a text that stands alone: quotes and backslashes stay, all that could forge a line, a column or the
 * colours of a terminal is escaped.
 */
export function visible(text: string): string {
  return NOT_PLAIN.test(text) ? text.replace(INVISIBLE, escape) : text;
}

/** A JSON string in which nothing is invisible either: JSON itself escapes only what is below U+0020. */
export function jsonString(text: string): string {
  const json = JSON.stringify(text);
  return NOT_PLAIN.test(json) ? json.replace(INVISIBLE, escapeInJson) : json;
}

function escapeInJson(char: string): string {
  let units = "";
  for (let i = 0; i < char.length; i++) units += `\\u${char.charCodeAt(i).toString(16).padStart(4, "0")}`;
  return units;
}

/** `["a", "b"]` */
export function quoteList(texts: readonly string[]): string {
  return `[${texts.map(quote).join(", ")}]`;
}

const STEPS = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]] as const;

/** Milliseconds in the largest unit that gives at least 1: `1.28s`, `977.257416ms`, `20ms`, `0ns`. */
export function durationText(millis: number): string {
  const nanos = Math.round(millis * 1e6);
  const [size, name] = STEPS.find(([size]) => nanos >= size) ?? [1, "ns"];
  const whole = Math.floor(nanos / size);
  const digits = String(size).length - 1;
  const fraction = String(nanos % size).padStart(digits, "0").replace(/0+$/, "");
  return digits === 0 || fraction === "" ? `${whole}${name}` : `${whole}.${fraction}${name}`;
}
