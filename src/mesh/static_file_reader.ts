/**
 * Typed reading of a YAML document that says where it went wrong: every failure names the place in the file, the key,
 * the value and what is accepted.
 */
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { ConfigError } from "../config/error.ts";

/** One document and the name it goes by in messages. */
interface Source {
  readonly name: string;
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
}

/** A value of the document and its path, `workloads[0].protocol`. */
export class Field {
  readonly path: string;
  readonly #source: Source;
  /** Null: nothing stands there. */
  readonly #node: Node | null;

  constructor(source: Source, path: string, node: Node | null) {
    this.path = path;
    this.#source = source;
    this.#node = node !== null && isAlias(node) ? node.resolve(source.document) ?? null : node;
  }

  /** Nothing, or `null`. */
  get isNull(): boolean {
    return this.#node === null || (isScalar(this.#node) && this.#node.value === null);
  }

  get isMap(): boolean {
    return isMap(this.#node);
  }

  /** The tag of the file's own kind, `!Exact`, or null. */
  get tag(): string | null {
    const tag = this.#node?.tag;
    return tag !== undefined && tag.startsWith("!") && tag !== "!" ? tag : null;
  }

  /** Ends the reading: `accepted` completes "must be …". */
  fail(accepted: string): never {
    return this.complain(`cannot use ${this.#name} ${this.#shown()}: it must be ${accepted}`);
  }

  complain(text: string): never {
    const { name, lines } = this.#source;
    const offset = this.#node?.range?.[0] ?? 0;
    const { line, col } = lines.linePos(offset);
    throw new ConfigError(`${name}:${line}:${col}: ${text}`);
  }

  get #name(): string {
    return this.path === "" ? "the document" : this.path;
  }

  #shown(): string {
    const node = this.#node;
    if (isMap(node)) return "(a map)";
    if (isSeq(node)) return "(a list)";
    const value = isScalar(node) ? node.value : null;
    return typeof value === "string" ? JSON.stringify(value) : String(value);
  }

  string(accepted = "a string"): string {
    const node = this.#node;
    if (!isScalar(node) || typeof node.value !== "string" || this.tag !== null) return this.fail(accepted);
    return node.value;
  }

  /** The text of a tagged scalar, `x` of `!Exact x`. */
  taggedString(): string {
    const node = this.#node;
    return isScalar(node) && typeof node.value === "string" ? node.value : this.fail("a tagged string");
  }

  boolean(): boolean {
    const node = this.#node;
    return isScalar(node) && typeof node.value === "boolean" ? node.value : this.fail("true or false");
  }

  integer(max: number): number {
    const node = this.#node;
    const value = isScalar(node) ? node.value : null;
    const usable = typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max;
    return usable ? value : this.fail(`a whole number from 0 to ${max}`);
  }

  oneOf<T extends string>(accepted: readonly T[]): T {
    const node = this.#node;
    const value = isScalar(node) ? node.value : null;
    const found = accepted.find((each) => each === value);
    return found ?? this.fail(accepted.join(" or "));
  }

  /** What `parse` makes of the text; null from it is a failure. */
  parsed<T>(accepted: string, parse: (text: string) => T | null): T {
    return parse(this.string(accepted)) ?? this.fail(accepted);
  }

  list(): readonly Field[] {
    const node = this.#node;
    if (!isSeq(node)) return this.fail("a list");
    return node.items.map((item, i) => new Field(this.#source, `${this.path}[${i}]`, item as Node));
  }

  /** Key, value and place of the key. Keys are texts, however they were written; twice the same one is a failure. */
  entries(): readonly (readonly [string, Field, Field])[] {
    const node = this.#node;
    if (!isMap(node)) return this.fail("a map");
    const seen = new Set<string>();
    return node.items.map((pair) => {
      const key = pair.key as Node;
      const where = new Field(this.#source, this.path, key);
      const text = isScalar(key) ? String(key.value) : where.complain(`${this.#name} has a key that is no scalar`);
      if (seen.has(text)) where.complain(`${this.#name} has the key ${text} twice`);
      seen.add(text);
      const path = this.path === "" ? text : `${this.path}.${text}`;
      return [text, new Field(this.#source, path, pair.value as Node | null), where] as const;
    });
  }

  /** A map with known keys. With `strict` any other key is a failure. */
  object(keys: readonly string[], strict = true): Fields {
    const values = new Map<string, Field>();
    for (const [key, value, where] of this.entries()) {
      if (strict && !keys.includes(key)) {
        where.complain(`${this.#name} has the unknown key ${key}; accepted are ${keys.join(", ")}`);
      }
      values.set(key, value);
    }
    return new Fields(this, values);
  }
}

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

/** The top of the document, or null where it is empty. */
export function readDocument(text: string, name: string): Field | null {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, version: "1.2", logLevel: "silent" });
  const problem = document.errors[0];
  if (problem !== undefined) {
    const { line, col } = problem.linePos?.[0] ?? { line: 1, col: 1 };
    throw new ConfigError(`${name}:${line}:${col}: ${problem.message.split(" at line ")[0]}`);
  }
  const top = new Field({ name, document, lines }, "", document.contents);
  return top.isNull ? null : top;
}
