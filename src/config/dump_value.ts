/** Values of a configuration dump, and their two texts: YAML in the log, JSON in `/config_dump`. */
import { Document, type Node } from "yaml";

/** An enum variant with content: a YAML tag, a JSON object with one key. */
export class Tagged {
  constructor(readonly tag: string, readonly value: DumpValue) {}
}

export type DumpValue = null | boolean | number | string | Tagged | readonly DumpValue[] | DumpMap;
/** In declaration order. */
export interface DumpMap {
  readonly [key: string]: DumpValue;
}

/** Plain data for `JSON.stringify`. Callers sort the keys if they want them sorted. */
export function toJsonValue(value: DumpValue): unknown {
  if (value instanceof Tagged) return { [value.tag]: toJsonValue(value.value) };
  if (isList(value)) return value.map(toJsonValue);
  if (!isMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toJsonValue(item)]));
}

/** Block style, list items not indented below their key, strings in single quotes where they must be quoted. */
export function toYaml(value: DumpMap): string {
  const document = new Document();
  document.contents = node(document, value);
  return document.toString({ indentSeq: false, singleQuote: true, lineWidth: 0 });
}

function node(document: Document, value: DumpValue): Node {
  if (value instanceof Tagged) {
    const tagged = node(document, value.value);
    tagged.tag = `!${value.tag}`;
    return tagged;
  }
  if (isList(value)) return document.createNode(value.map((item) => node(document, item)));
  if (!isMap(value)) return document.createNode(value);
  const items = Object.entries(value).map(([key, item]) => [key, node(document, item)] as const);
  return document.createNode(new Map(items));
}

function isList(value: DumpValue): value is readonly DumpValue[] {
  return Array.isArray(value);
}

function isMap(value: DumpValue): value is DumpMap {
  return typeof value === "object" && value !== null && !isList(value) && !(value instanceof Tagged);
}
