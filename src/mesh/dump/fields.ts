/** Fields of a config dump. Errors name the path, `workloads[3].protocol`. */
import { Field, type MapEntry } from "../static_file/field.ts";

/** A dump that cannot be used. The message says where and why. */
export class DumpError extends Error {
  override readonly name = "DumpError";
}

/** A document and how it is read. */
interface JsonDocument {
  /** Its name in messages, a path. */
  readonly name: string;
  /** How keys are treated that the reader does not know. */
  unknownKeys: "ignored" | "refused";
}

type Step = string | number;

class JsonField extends Field {
  readonly #document: JsonDocument;
  /** Null at the top. The path is built only for messages, since dumps have millions of fields. */
  readonly #parent: JsonField | null;
  readonly #step: Step;
  readonly #value: unknown;

  constructor(document: JsonDocument, parent: JsonField | null, step: Step, value: unknown) {
    super();
    this.#document = document;
    this.#parent = parent;
    this.#step = step;
    this.#value = value;
  }

  get path(): string {
    if (this.#parent === null) return "";
    const before = this.#parent.path;
    if (typeof this.#step === "number") return `${before}[${this.#step}]`;
    return before === "" ? this.#step : `${before}.${this.#step}`;
  }

  get tag(): null {
    return null;
  }

  reject(text: string): never {
    throw new DumpError(`${this.#document.name}: ${text}`);
  }

  protected get scalar(): unknown {
    return typeof this.#value === "object" ? null : this.#value;
  }

  protected get items(): readonly Field[] | null {
    return Array.isArray(this.#value) ? this.#value.map((item, i) => this.#child(i, item)) : null;
  }

  protected get pairs(): readonly MapEntry[] | null {
    const value = this.#value;
    if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
    return Object.entries(value).map(([key, item]) => [key, this.#child(key, item), this] as const);
  }

  override get isNull(): boolean {
    return this.#value === null;
  }

  get isMap(): boolean {
    return typeof this.#value === "object" && this.#value !== null && !Array.isArray(this.#value);
  }

  protected onUnknownKey(key: string, where: Field, accepted: readonly string[]): void {
    if (this.#document.unknownKeys === "refused") this.refuseKey(key, where, accepted);
  }

  #child(step: Step, value: unknown): JsonField {
    return new JsonField(this.#document, this, step, value);
  }
}

/** Parses a JSON document. `name`: its name in messages. Throws {@link DumpError} where `text` is no JSON. */
export function readJson(text: string, name: string): { readonly top: Field; readonly document: JsonDocument } {
  const document: JsonDocument = { name, unknownKeys: "ignored" };
  try {
    return { top: new JsonField(document, null, "", JSON.parse(text)), document };
  } catch (error) {
    throw new DumpError(`${name}: this is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}
