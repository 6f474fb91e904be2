/**
 * The scalar types of environment variables and their errors (`docs/spec/config-admin.md` 1.1). Every parser gives
 * a value, or a reason in the words of the Rust ztunnel.
 */

/** A parsed value, or why the text is none. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

export const parsed = <T>(value: T): Parsed<T> => ({ ok: true, value });
export const refused = (reason: string): Parsed<never> => ({ ok: false, reason });

export const U16_MAX = 65535;
const U32_MAX = 4294967295;

/** Exactly `true` or `false`. */
export function parseBool(text: string): Parsed<boolean> {
  if (text === "true") return parsed(true);
  if (text === "false") return parsed(false);
  return refused("provided string was not `true` or `false`");
}

/** Decimal digits with an optional leading `+`, at most `max`. Values above 2^53 lose their low digits. */
function parseUnsigned(text: string, max: bigint | number): Parsed<number> {
  const reason = unsignedProblem(text, max);
  return reason === null ? parsed(Number(text)) : refused(reason);
}

function unsignedProblem(text: string, max: bigint | number): string | null {
  if (text === "") return "cannot parse integer from empty string";
  if (!/^\+?[0-9]+$/.test(text)) return "invalid digit found in string";
  return BigInt(text.replace("+", "")) > BigInt(max) ? "number too large to fit in target type" : null;
}

export const parseU16 = (text: string): Parsed<number> => parseUnsigned(text, U16_MAX);
export const parseU32 = (text: string): Parsed<number> => parseUnsigned(text, U32_MAX);
/** 64-bit counts. */
export const parseU64 = (text: string): Parsed<number> => parseUnsigned(text, 18446744073709551615n);

const FLOAT = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?$/i;
const NAMED_FLOAT = new Map([["inf", Infinity], ["infinity", Infinity], ["nan", NaN]]);

/** A decimal float as `1.5`, `1e1`, `.5`, `inf` or `NaN` (any case). */
export function parseFloat64(text: string): Parsed<number> {
  if (text === "") return refused("cannot parse float from empty string");
  if (FLOAT.test(text)) return parsed(Number(text));
  const named = NAMED_FLOAT.get(text.replace(/^[+-]/, "").toLowerCase());
  if (named === undefined) return refused("invalid float literal");
  return parsed(text.startsWith("-") ? -named : named);
}

/** A Kubernetes CPU quantity (`2`, `1.5`, `500m`) in CPUs: finite and above zero. */
export function parseCpuQuantity(text: string): Parsed<number> {
  const milli = text.endsWith("m");
  const number = parseFloat64(milli ? text.slice(0, -1) : text);
  if (!number.ok) return number;
  const cpus = milli ? number.value / 1000 : number.value;
  return Number.isFinite(cpus) && cpus > 0 ? parsed(cpus) : refused("must be a positive CPU quantity");
}
