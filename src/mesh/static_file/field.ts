/**
 * Typed reading of a document that says where it went wrong: every failure names the place, the key, the value and what
 * is accepted. What the document is made of is up to its subclass.
 */

/** A value of the document and its path, `workloads[0].protocol`. */
export abstract class Field {
  abstract get path(): string;
  /** What stands here if it is neither a map nor a list; null also where nothing does. */
  protected abstract get scalar(): unknown;
  /** Null: no list. */
  protected abstract get items(): readonly Field[] | null;
  /** Key, value and place of the key; null: no map. Keys are texts, however they were written. */
  protected abstract get pairs(): readonly Entry[] | null;
  abstract get isMap(): boolean;
  /** The tag of the file's own kind, `!Exact`, or null. */
  abstract get tag(): string | null;
  /** Ends the reading with the place and `text`. */
  abstract complain(text: string): never;
  /** `key` is none of `accepted`. `strict`: it must not be there. */
  protected abstract onUnknownKey(key: string, where: Field, accepted: readonly string[], strict: boolean): void;

  /** Nothing, or `null`. */
  get isNull(): boolean {
    return !this.isMap && this.items === null && this.scalar === null;
  }

  /** Ends the reading: `accepted` completes "must be …". */
  fail(accepted: string): never {
    return this.complain(`cannot use ${this.name} ${this.#shown()}: it must be ${accepted}`);
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

  /** What `parse` makes of the text; null from it is a failure. */
  parsed<T>(accepted: string, parse: (text: string) => T | null): T {
    return parse(this.string(accepted)) ?? this.fail(accepted);
  }

  list(): readonly Field[] {
    return this.items ?? this.fail("a list");
  }

  /** Twice the same key is a failure. */
  entries(): readonly Entry[] {
    const entries = this.pairs ?? this.fail("a map");
    const seen = new Set<string>();
    for (const [key, , where] of entries) {
      if (seen.has(key)) where.complain(`${this.name} has the key ${key} twice`);
      seen.add(key);
    }
    return entries;
  }

  /** A map with known keys. */
  object(keys: readonly string[], strict = true): Fields {
    const values = new Map<string, Field>();
    for (const [key, value, where] of this.entries()) {
      if (!keys.includes(key)) this.onUnknownKey(key, where, keys, strict);
      values.set(key, value);
    }
    return new Fields(this, values);
  }

  /** Ends the reading over a key that nobody knows. */
  protected refuseKey(key: string, where: Field, accepted: readonly string[]): never {
    return where.complain(`${this.name} has the unknown key ${key}; accepted are ${accepted.join(", ")}`);
  }
}

export type Entry = readonly [key: string, value: Field, where: Field];

/** The keys of one map. */
export class Fields {
  readonly #owner: Field;
  readonly #values: ReadonlyMap<string, Field>;

  constructor(owner: Field, values: ReadonlyMap<string, Field>) {
    this.#owner = owner;
    this.#values = values;
  }

  required(key: string): Field {
    return this.#values.get(key) ?? this.#owner.complain(`${this.#owner.path || "the document"} lacks the key ${key}`);
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
