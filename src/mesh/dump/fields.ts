/** Fields of a config dump. Failures name the path, `workloads[3].protocol`. */
import { type Entry, Field } from "../static_file/field.ts";

/** A dump that cannot be used. The message is complete. */
export class DumpError extends Error {
  override readonly name = "DumpError";
}

/** A document and how it is read. */
interface Source {
  /** What messages call it, a path. */
  readonly name: string;
  /** Whether keys that nobody knows may be there. */
  unknownKeys: "ignored" | "refused";
}

type Step = string | number;

class JsonField extends Field {
  readonly #source: Source;
  /** Null at the top. The path is put together only when it is needed: dumps have millions of fields. */
  readonly #parent: JsonField | null;
  readonly #step: Step;
  readonly #value: unknown;

  constructor(source: Source, parent: JsonField | null, step: Step, value: unknown) {
    super();
    this.#source = source;
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

  complain(text: string): never {
    throw new DumpError(`${this.#source.name}: ${text}`);
  }

  protected get scalar(): unknown {
    return typeof this.#value === "object" ? null : this.#value;
  }

  protected get items(): readonly Field[] | null {
    return Array.isArray(this.#value) ? this.#value.map((item, i) => this.#child(i, item)) : null;
  }

  protected get pairs(): readonly Entry[] | null {
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
    if (this.#source.unknownKeys === "refused") this.refuseKey(key, where, accepted);
  }

  #child(step: Step, value: unknown): JsonField {
    return new JsonField(this.#source, this, step, value);
  }
}

/** The top of a JSON document. Throws {@link DumpError} where `text` is none. */
export function readJson(text: string, name: string): { readonly top: Field; readonly source: Source } {
  const source: Source = { name, unknownKeys: "ignored" };
  try {
    return { top: new JsonField(source, null, "", JSON.parse(text)), source };
  } catch (error) {
    throw new DumpError(`${name}: this is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}
