/** Fields of a YAML document. Errors name line and column. */
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { ConfigError } from "../../config/error.ts";
import { Field, type MapEntry } from "./field.ts";

/** A document and its name in messages. */
interface YamlDocument {
  readonly name: string;
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
  readonly options: ReadOptions;
}

/** How a document is read. */
interface ReadOptions {
  /** Lines of the same text before the document, for messages. */
  readonly linesBefore: number;
  /** Whether aliases (`*name`) are errors. They make a short text as long as its author likes. */
  readonly refusesAliases: boolean;
}

const DEFAULTS: ReadOptions = { linesBefore: 0, refusesAliases: false };

class YamlField extends Field {
  readonly path: string;
  readonly #document: YamlDocument;
  /** Null: there is no value. */
  readonly #node: Node | null;

  constructor(document: YamlDocument, path: string, node: Node | null) {
    super();
    this.path = path;
    this.#document = document;
    this.#node = node;
    if (node === null || !isAlias(node)) return;
    if (document.options.refusesAliases) this.reject(`*${node.source} is an alias: write out what it stands for`);
    this.#node = node.resolve(document.document) ?? null;
  }

  get tag(): string | null {
    const tag = this.#node?.tag;
    return tag !== undefined && tag.startsWith("!") && tag !== "!" ? tag : null;
  }

  reject(text: string): never {
    const { name, lines, options } = this.#document;
    const offset = this.#node?.range?.[0] ?? 0;
    const { line, col } = lines.linePos(offset);
    throw new ConfigError(`${name}:${options.linesBefore + line}:${col}: ${text}`);
  }

  protected get scalar(): unknown {
    return isScalar(this.#node) ? this.#node.value : null;
  }

  protected get items(): readonly Field[] | null {
    const node = this.#node;
    if (!isSeq(node)) return null;
    return node.items.map((item, i) => new YamlField(this.#document, `${this.path}[${i}]`, item as Node));
  }

  protected get pairs(): readonly MapEntry[] | null {
    const node = this.#node;
    if (!isMap(node)) return null;
    return node.items.map((pair) => {
      const key = pair.key as Node;
      const where = new YamlField(this.#document, this.path, key);
      const text = isScalar(key) ? String(key.value) : where.reject(`${this.name} has a key that is no scalar`);
      const path = this.path === "" ? text : `${this.path}.${text}`;
      return [text, new YamlField(this.#document, path, pair.value as Node | null), where] as const;
    });
  }

  get isMap(): boolean {
    return isMap(this.#node);
  }

  protected onUnknownKey(key: string, where: Field, accepted: readonly string[], strict: boolean): void {
    if (strict) this.refuseKey(key, where, accepted);
  }
}

/**
 * Parses a YAML or JSON document; null where it is empty. `name`: its name in messages. Throws `ConfigError` for
 * invalid YAML.
 */
export function readDocument(text: string, name: string, options: ReadOptions = DEFAULTS): Field | null {
  const lines = new LineCounter();
  const document = parse(text, name, lines);
  const problem = document.errors[0];
  if (problem !== undefined) {
    const { line, col } = problem.linePos?.[0] ?? { line: 1, col: 1 };
    const message = STACK_EXCEEDED.test(problem.message) ? TOO_DEEP : problem.message.split(" at line ")[0];
    throw new ConfigError(`${name}:${options.linesBefore + line}:${col}: ${message}`);
  }
  const top = new YamlField({ name, document, lines, options }, "", document.contents);
  return top.isNull ? null : top;
}

const STACK_EXCEEDED = /call stack/;
const TOO_DEEP = "lists and maps are nested too deep";

/**
 * The library calls itself for each level of nesting. Where the stack is exceeded, it reports an error of the document or
 * throws a RangeError.
 */
function parse(text: string, name: string, lineCounter: LineCounter): Document.Parsed {
  try {
    return parseDocument(text, { lineCounter, version: "1.2", logLevel: "silent" });
  } catch (error) {
    if (error instanceof RangeError) throw new ConfigError(`${name}: ${TOO_DEEP}`);
    throw error;
  }
}
