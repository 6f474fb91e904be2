/**
 * Durations in environment variables (`docs/spec/config-admin.md` 1.2):
 *
 *     duration := term (op? term)*       term := DIGITS unit?       op := '+' | '*'
 *
 * A missing operator means `+`, a missing unit seconds. `*` multiplies counts of seconds: `1m*10ms` is 0.6 s.
 */
import { type Parsed, parsed, refused } from "./scalars.ts";

/** Nanoseconds. Made only by {@link parseDuration}. */
type Nanos = bigint & { readonly _: "Nanos" };

const SECOND = 1_000_000_000n;
const NANOS_MAX = 18446744073709551615n;

const UNITS = new Map<string, bigint>();
function unit(nanos: bigint, words: string) {
  for (const word of words.split(" ")) UNITS.set(word, nanos);
}
unit(365n * 86400n * SECOND, "y year years");
unit(30n * 86400n * SECOND, "mon month months");
unit(7n * 86400n * SECOND, "w week weeks");
unit(86400n * SECOND, "d day days");
unit(3600n * SECOND, "h hr hour hours");
unit(60n * SECOND, "m min minute minutes");
unit(SECOND, "s sec second seconds");
unit(1_000_000n, "ms msec millisecond milliseconds");
unit(1_000n, "µs µsec µsecond us usec usecond microsecond microseconds");
unit(1n, "ns nsec nanosecond nanoseconds");

const EXPECTED_UNIT = 'expected ["y", "mon", "w", "d", "h", "m", "s", "ms", "µs", "us", "ns"]';
const EXPECTED_OPERATOR = "expected ['+', '*']";
const EXPECTED_DIGITS = "expected digits";

type Operator = "+" | "*";
interface Term {
  readonly nanos: bigint;
  readonly end: number;
}
type Syntax<T> = T | { readonly problem: string; readonly at: number };

/** Nanoseconds, or why the text is no duration (with a caret line for errors of syntax). */
export function parseDuration(text: string): Parsed<Nanos> {
  if (text === "") return refused("Empty input");
  const terms: bigint[] = [];
  const operators = new Set<Operator>();
  let at = skipSpace(text, 0);
  for (;;) {
    const term = readTerm(text, at);
    if ("problem" in term) return syntaxError(text, term.at, term.problem);
    terms.push(term.nanos);
    const next = readOperator(text, term.end);
    if ("problem" in next) return syntaxError(text, next.at, next.problem);
    if (next.operator === null) break;
    operators.add(next.operator);
    at = next.end;
  }
  if (operators.size > 1) return refused("not support '+' with '*' calculate");
  return total(terms, operators.has("*") ? "*" : "+");
}

function readTerm(text: string, at: number): Syntax<Term> {
  const digits = /[0-9]*/y;
  digits.lastIndex = at;
  const count = digits.exec(text)?.[0] ?? "";
  if (count === "") return { problem: EXPECTED_DIGITS, at };
  const afterCount = at + count.length;
  const word = /\s*([\p{L}]*)/uy;
  word.lastIndex = afterCount;
  const found = word.exec(text)?.[1] ?? "";
  // The micro sign and the Greek letter look alike and both are typed.
  const nanos = found === "" ? SECOND : UNITS.get(found.toLowerCase().replace("\u03bc", "\u00b5"));
  if (nanos === undefined) return { problem: EXPECTED_UNIT, at: afterCount };
  if (found === "" && /^\s*[0-9]/.test(text.slice(afterCount))) return { problem: EXPECTED_UNIT, at: afterCount };
  return { nanos: BigInt(count) * nanos, end: found === "" ? afterCount : word.lastIndex };
}

function readOperator(text: string, at: number): Syntax<{ operator: Operator | null; end: number }> {
  const start = skipSpace(text, at);
  const char = text[start];
  if (char === undefined) return { operator: null, end: start };
  if (char === "+" || char === "*") return { operator: char, end: skipSpace(text, start + 1) };
  return char >= "0" && char <= "9" ? { operator: "+", end: start } : { problem: EXPECTED_OPERATOR, at: start };
}

function skipSpace(text: string, at: number): number {
  while (/\s/.test(text.charAt(at))) at++;
  return at;
}

function total(terms: readonly bigint[], operator: Operator): Parsed<Nanos> {
  const sum = operator === "+"
    ? terms.reduce((a, b) => a + b)
    : terms.reduce((a, b) => a * b) / SECOND ** BigInt(terms.length - 1);
  return sum > NANOS_MAX ? refused("overflow error") : parsed(sum as Nanos);
}

function syntaxError(text: string, at: number, expected: string): Parsed<never> {
  return refused(`${text}\n${" ".repeat(at)}^\n${expected}`);
}

/** Milliseconds with a fraction; exact to a nanosecond below 104 days. */
export function nanosToMillis(nanos: bigint): number {
  return Number(nanos / 1_000_000n) + Number(nanos % 1_000_000n) / 1e6;
}

/** Whole seconds and the rest, as configuration dumps show a duration. */
export function splitMillis(millis: number): { readonly secs: number; readonly nanos: number } {
  const secs = Math.floor(millis / 1000);
  return { secs, nanos: Math.round((millis - secs * 1000) * 1e6) };
}
