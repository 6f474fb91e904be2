/**
 * Writes JSON as the config dump has it (`docs/spec/config-admin.md` 4.4): two spaces per level, the keys of every
 * object sorted, no newline at the end. The text comes in pieces, so that a dump of any size is written in steps of
 * bounded work and memory.
 */
import type { Json, JsonObject } from "./objects.ts";

/** Yielded where work was done without text to write: the writer may pause there. */
export const PAUSE = undefined;

/** An array whose items are made while it is written. */
export class Items {
  constructor(readonly items: Iterable<Node | typeof PAUSE>) {}
}

/** An object whose entries, already sorted by key, are made while it is written. */
export class Entries {
  constructor(readonly entries: Iterable<readonly [key: string, value: Node] | typeof PAUSE>) {}
}

/** A value for {@link jsonPieces}. Plain values are written in one piece, the others in many. */
export type Node = Json | Items | Entries;

/** The text of `node`, indented for `level` levels. A pause is an empty piece. */
export function* jsonPieces(node: Node, level = 0): Generator<string, void, undefined> {
  if (node instanceof Items) yield* listPieces(node.items, level);
  else if (node instanceof Entries) yield* objectPieces(node.entries, level);
  else yield jsonText(node, level);
}

/** The text of a plain value, indented for `level` levels. */
export function jsonText(value: Json, level = 0): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value !== "object" || value === null) return String(value);
  const inner = lineBreak(level + 1);
  let text = "";
  if (isList(value)) {
    for (const item of value) text += (text === "" ? inner : `,${inner}`) + jsonText(item, level + 1);
    return text === "" ? "[]" : `[${text}${lineBreak(level)}]`;
  }
  for (const key of sortedKeys(value)) {
    text += `${text === "" ? "" : ","}${inner}${JSON.stringify(key)}: ${jsonText(value[key]!, level + 1)}`;
  }
  return text === "" ? "{}" : `{${text}${lineBreak(level)}}`;
}

function* listPieces(items: Items["items"], level: number): Generator<string, void, undefined> {
  const inner = lineBreak(level + 1);
  let before = `[${inner}`;
  for (const item of items) {
    if (item === PAUSE) {
      yield "";
      continue;
    }
    yield* withPrefix(before, jsonPieces(item, level + 1));
    before = `,${inner}`;
  }
  yield before.startsWith("[") ? "[]" : `${lineBreak(level)}]`;
}

function* objectPieces(entries: Entries["entries"], level: number): Generator<string, void, undefined> {
  const inner = lineBreak(level + 1);
  let before = `{${inner}`;
  for (const entry of entries) {
    if (entry === PAUSE) {
      yield "";
      continue;
    }
    const [key, value] = entry;
    yield* withPrefix(`${before}${JSON.stringify(key)}: `, jsonPieces(value, level + 1));
    before = `,${inner}`;
  }
  yield before.startsWith("{") ? "{}" : `${lineBreak(level)}}`;
}

/** Adds the prefix to the first piece, so that most values stay one piece. */
function* withPrefix(prefix: string, pieces: Iterable<string>): Generator<string, void, undefined> {
  let before = prefix;
  for (const piece of pieces) {
    yield before + piece;
    before = "";
  }
}

const BREAKS: readonly string[] = Array.from({ length: 16 }, (_, level) => `\n${"  ".repeat(level)}`);

function lineBreak(level: number): string {
  return BREAKS[level] ?? `\n${"  ".repeat(level)}`;
}

/** Keys in the order of their bytes, so "443" comes before "80". Most objects are made with sorted keys already. */
function sortedKeys(value: JsonObject): readonly string[] {
  const keys = Object.keys(value);
  for (let i = 1; i < keys.length; i++) if (keys[i]! < keys[i - 1]!) return keys.sort();
  return keys;
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
