/** Labels as the exposition format writes them (OpenMetrics 1.0.0, "ABNF"). */

const SPECIAL = /[\\"\n]/;

/** `name="value"`; an empty or missing value is `unknown`. */
export function label(name: string, value: string | null | undefined): string {
  if (!value) return `${name}="unknown"`;
  return `${name}="${SPECIAL.test(value) ? escape(value) : value}"`;
}

function escape(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
