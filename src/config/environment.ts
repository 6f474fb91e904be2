/**
 * Typed look-ups in an environment. Names and defaults are those of the catalogue (`catalogue/settings.ts`), so a
 * variable that no manual describes cannot be read. A wrong value throws {@link ConfigError}.
 */
import { type Prefix, type SettingName, SETTINGS, type SettingWith, type ValueOf } from "./catalogue/settings.ts";
import { nanosToMillis, parseDuration } from "./duration.ts";
import { invalidVariable } from "./error.ts";
import { parseBool, type Parsed, parsed, parseU16, parseU32, parseU64 } from "./scalars.ts";

/** Environment variables. An empty string counts as set (`docs/spec/config-admin.md` 1.1). */
export type Variables = Readonly<Record<string, string | undefined>>;

/** The environment variables of a process, or of a test. */
export class Environment {
  readonly #variables: Variables;

  constructor(variables: Variables) {
    this.#variables = variables;
  }

  has(name: SettingName): boolean {
    return this.#variables[name] !== undefined;
  }

  /** Every variable that is set, in the order of the environment. */
  entries(): [string, string][] {
    return Object.entries(this.#variables).filter((entry): entry is [string, string] => entry[1] !== undefined);
  }

  /** Variables below a prefix, with the prefix removed. */
  withPrefix(prefix: Prefix): { readonly name: string; readonly rest: string; readonly value: string }[] {
    return this.entries().filter(([name]) => name.startsWith(prefix))
      .map(([name, value]) => ({ name, rest: name.slice(prefix.length), value }));
  }

  /** The value as it is written, which may be empty, or the default. */
  text<N extends SettingName>(name: N): ValueOf<N, string> {
    return (this.#variables[name] ?? SETTINGS[name].fallback) as ValueOf<N, string>;
  }

  parse<N extends SettingName, T>(name: N, parse: (text: string) => Parsed<T>): ValueOf<N, T> {
    const text: string | null = this.text(name);
    if (text === null) return null as ValueOf<N, T>;
    const result = parse(text);
    if (!result.ok) throw invalidVariable(name, text, result.reason);
    return result.value as ValueOf<N, T>;
  }

  bool<N extends SettingWith<"bool">>(name: N): ValueOf<N, boolean> {
    return this.parse(name, parseBool);
  }

  u16<N extends SettingWith<"u16">>(name: N): ValueOf<N, number> {
    return this.parse(name, parseU16);
  }

  u32<N extends SettingWith<"u32">>(name: N): ValueOf<N, number> {
    return this.parse(name, parseU32);
  }

  u64<N extends SettingWith<"u64">>(name: N): ValueOf<N, number> {
    return this.parse(name, parseU64);
  }

  /** Milliseconds. */
  duration<N extends SettingWith<"duration">>(name: N): ValueOf<N, number> {
    return this.parse(name, parseMillis);
  }

  /** On only for exactly `literal`; anything else is off and never an error. */
  flag(name: SettingWith<"switch" | "text">, literal: string): boolean {
    return this.text(name) === literal;
  }
}

function parseMillis(text: string): Parsed<number> {
  const nanos = parseDuration(text);
  return nanos.ok ? parsed(nanosToMillis(nanos.value)) : nanos;
}
