/**
 * Texts in the form that operators' tools expect from the native proxy: quoted strings and durations
 * (`docs/spec/config-admin.md` 6.3).
 */

/** Characters that have to be escaped, or checked, in a quoted string. */
const UNUSUAL = /["\\]|[^\x20-\x7e]/;
const NOT_PLAIN = /[^\x20-\x7e]/;
const ESCAPED = /["\\\p{C}\p{Zl}\p{Zp}\p{Grapheme_Extend}]|(?! )\p{Zs}/gu;
const NAMED = new Map([['"', '\\"'], ["\\", "\\\\"], ["\n", "\\n"], ["\r", "\\r"], ["\t", "\\t"], ["\0", "\\0"]]);

/** The text in double quotes. Printable Unicode stays, other characters are escaped, such as a line feed. */
export function quote(text: string): string {
  return UNUSUAL.test(text) ? `"${text.replace(ESCAPED, escape)}"` : `"${text}"`;
}

function escape(char: string): string {
  return NAMED.get(char) ?? `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`;
}

/** Control characters (with line and column separators), marks that change the text direction, lone surrogates. */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/**
 * The text with invisible characters escaped, so that it cannot forge a line, a column or terminal colours. Quotes and
 * backslashes stay.
 */
export function visible(text: string): string {
  return NOT_PLAIN.test(text) ? text.replace(INVISIBLE, escape) : text;
}

/** The text as a JSON string, with invisible characters escaped. JSON itself requires that only below U+0020. */
export function jsonString(text: string): string {
  const json = JSON.stringify(text);
  return NOT_PLAIN.test(json) ? json.replace(INVISIBLE, escapeInJson) : json;
}

function escapeInJson(char: string): string {
  let units = "";
  for (let i = 0; i < char.length; i++) units += `\\u${char.charCodeAt(i).toString(16).padStart(4, "0")}`;
  return units;
}

/** The texts as a list: `["a", "b"]`. */
export function quoteList(texts: readonly string[]): string {
  return `[${texts.map(quote).join(", ")}]`;
}

const STEPS = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]] as const;

/** A duration in ms as text, in the largest unit that gives at least 1: `1.28s`, `977.257416ms`, `20ms`, `0ns`. */
export function durationText(millis: number): string {
  const nanos = Math.round(millis * 1e6);
  const [size, name] = STEPS.find(([size]) => nanos >= size) ?? [1, "ns"];
  const whole = Math.floor(nanos / size);
  const digits = String(size).length - 1;
  const fraction = String(nanos % size).padStart(digits, "0").replace(/0+$/, "");
  return digits === 0 || fraction === "" ? `${whole}${name}` : `${whole}.${fraction}${name}`;
}
