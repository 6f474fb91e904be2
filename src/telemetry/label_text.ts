/** Labels in the exposition format (OpenMetrics 1.0.0, "ABNF"). */

const SPECIAL = /[\\"\n]/;

/** `name="value"`; an empty or missing value is `unknown`. */
export function label(name: string, value: string | null | undefined): string {
  if (!value) return `${name}="unknown"`;
  return `${name}="${SPECIAL.test(value) ? escape(value) : value}"`;
}

const encoder = new TextEncoder();

/** The longest prefix of `text` that takes at most `bytes` bytes as UTF-8. */
export function cutToBytes(text: string, bytes: number): string {
  if (text.length * 3 <= bytes) return text;
  const { read } = encoder.encodeInto(text, new Uint8Array(bytes));
  return text.slice(0, read);
}

function escape(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
