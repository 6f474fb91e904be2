/** Typed look-ups in an environment: the default where a variable is unset, {@link ConfigError} where it is wrong. */
import { nanosToMillis, parseDuration } from "./duration.ts";
import { invalidVariable } from "./error.ts";
import { parseBool, type Parsed, parseU16, parseU32, parseU64 } from "./scalars.ts";

/** Environment variables. An empty string counts as set (`docs/spec/config-admin.md` 1.1). */
export type Variables = Readonly<Record<string, string | undefined>>;

export class Environment {
  constructor(private readonly variables: Variables) {}

  get(name: string): string | null {
    return this.variables[name] ?? null;
  }

  has(name: string): boolean {
    return this.get(name) !== null;
  }

  /** Every variable that is set, in the order of the environment. */
  entries(): [string, string][] {
    return Object.entries(this.variables).filter((entry): entry is [string, string] => entry[1] !== undefined);
  }

  /** Variables below a prefix, with the prefix removed. */
  withPrefix(prefix: string): { readonly name: string; readonly rest: string; readonly value: string }[] {
    return this.entries().filter(([name]) => name.startsWith(prefix))
      .map(([name, value]) => ({ name, rest: name.slice(prefix.length), value }));
  }

  parse<T>(name: string, parse: (text: string) => Parsed<T>): T | null {
    const text = this.get(name);
    if (text === null) return null;
    const result = parse(text);
    if (!result.ok) throw invalidVariable(name, text, result.reason);
    return result.value;
  }

  bool(name: string, fallback: boolean): boolean {
    return this.parse(name, parseBool) ?? fallback;
  }

  u16(name: string, fallback: number): number {
    return this.parse(name, parseU16) ?? fallback;
  }

  u32(name: string, fallback: number): number {
    return this.parse(name, parseU32) ?? fallback;
  }

  u64(name: string): number | null {
    return this.parse(name, parseU64);
  }

  /** Milliseconds. */
  duration(name: string): number | null {
    const nanos = this.parse(name, parseDuration);
    return nanos === null ? null : nanosToMillis(nanos);
  }

  /** On only for exactly `literal`; anything else is off and never an error. */
  flag(name: string, literal: string): boolean {
    return this.get(name) === literal;
  }
}
