/**
 * Typed reading of a document: every error names the place, the key, the value and what is accepted. Subclasses read
 * YAML and JSON.
 */

/**
 * A value of a document, with its path `workloads[0].protocol`. Methods that read throw where the value does not fit.
 */
export abstract class Field {
  abstract get path(): string;
  /** The value if it is neither a map nor a list; null also where there is no value. */
  protected abstract get scalar(): unknown;
  /** The items of a list; null: this is no list. */
  protected abstract get items(): readonly Field[] | null;
  /** Key, value and place of the key, for each key of a map; null: this is no map. Keys are converted to text. */
  protected abstract get pairs(): readonly MapEntry[] | null;
  abstract get isMap(): boolean;
  /** The application-specific tag, `!Exact`, or null. */
  abstract get tag(): string | null;
  /** Throws an error with the place and `text`. */
  abstract reject(text: string): never;
  /** Called for a key that is not in `accepted`. `strict`: the caller allows no other keys. */
  protected abstract onUnknownKey(key: string, where: Field, accepted: readonly string[], strict: boolean): void;

  /** Whether there is no value, or `null`. */
  get isNull(): boolean {
    return !this.isMap && this.items === null && this.scalar === null;
  }

  /** Throws an error with the value; `accepted` completes "must be …". */
  fail(accepted: string): never {
    return this.reject(`cannot use ${this.name} ${this.#shown()}: it must be ${accepted}`);
  }

  protected get name(): string {
    return this.path === "" ? "the document" : this.path;
  }

  #shown(): string {
    if (this.isMap) return "(a map)";
    if (this.items !== null) return "(a list)";
    return typeof this.scalar === "string" ? JSON.stringify(this.scalar) : String(this.scalar);
  }

  string(accepted = "a string"): string {
    const value = this.scalar;
    return typeof value === "string" && this.tag === null ? value : this.fail(accepted);
  }

  /** The text of a tagged scalar, `x` of `!Exact x`. */
  taggedString(): string {
    const value = this.scalar;
    return typeof value === "string" ? value : this.fail("a tagged string");
  }

  boolean(): boolean {
    const value = this.scalar;
    return typeof value === "boolean" ? value : this.fail("true or false");
  }

  integer(max: number): number {
    const value = this.scalar;
    const usable = typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max;
    return usable ? value : this.fail(`a whole number from 0 to ${max}`);
  }

  oneOf<T extends string>(accepted: readonly T[]): T {
    const value = this.scalar;
    return accepted.find((each) => each === value) ?? this.fail(accepted.join(" or "));
  }

  /** The result of `parse` for the text; null from it is an error. */
  parsed<T>(accepted: string, parse: (text: string) => T | null): T {
    return parse(this.string(accepted)) ?? this.fail(accepted);
  }

  list(): readonly Field[] {
    return this.items ?? this.fail("a list");
  }

  /** The entries of a map. A duplicate key is an error. */
  entries(): readonly MapEntry[] {
    const entries = this.pairs ?? this.fail("a map");
    const seen = new Set<string>();
    for (const [key, , where] of entries) {
      if (seen.has(key)) where.reject(`${this.name} has the key ${key} twice`);
      seen.add(key);
    }
    return entries;
  }

  /** A map whose keys are known. */
  object(keys: readonly string[], strict = true): Fields {
    const values = new Map<string, Field>();
    for (const [key, value, where] of this.entries()) {
      if (!keys.includes(key)) this.onUnknownKey(key, where, keys, strict);
      values.set(key, value);
    }
    return new Fields(this, values);
  }

  /** Throws an error about an unknown key. */
  protected refuseKey(key: string, where: Field, accepted: readonly string[]): never {
    return where.reject(`${this.name} has the unknown key ${key}; accepted are ${accepted.join(", ")}`);
  }
}

/** Key, value and place of the key. */
export type MapEntry = readonly [key: string, value: Field, where: Field];

/** The values of one map with known keys. */
export class Fields {
  readonly #owner: Field;
  readonly #values: ReadonlyMap<string, Field>;

  constructor(owner: Field, values: ReadonlyMap<string, Field>) {
    this.#owner = owner;
    this.#values = values;
  }

  required(key: string): Field {
    return this.#values.get(key) ?? this.#owner.reject(`${this.#owner.path || "the document"} lacks the key ${key}`);
  }

  /** Null where the key is missing. */
  optional(key: string): Field | null {
    return this.#values.get(key) ?? null;
  }

  /** Null where the key is missing or its value is null. */
  nullable(key: string): Field | null {
    const field = this.optional(key);
    return field === null || field.isNull ? null : field;
  }

  string(key: string): string {
    return this.optional(key)?.string() ?? "";
  }

  list<T>(key: string, read: (item: Field) => T): readonly T[] {
    return this.optional(key)?.list().map(read) ?? [];
  }
}
