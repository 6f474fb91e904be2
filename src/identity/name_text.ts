/** Formats distinguished names for logs: `O=cluster.local, CN=istiod`. */
import { DerError, DerReader, Tag, takeOid } from "./der.ts";

const SHORT: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
};
const MAX_LENGTH = 256;

/**
 * Formats a Name element as one line of bounded length without control characters, as it may come from an untrusted
 * peer. Never throws.
 */
export function nameText(name: Uint8Array): string {
  try {
    const parts = readParts(name);
    const text = parts.length === 0 ? "an empty name" : parts.join(", ");
    return text.length <= MAX_LENGTH ? text : `${text.slice(0, MAX_LENGTH)}...`;
  } catch (error) {
    if (error instanceof DerError) return "a malformed name";
    throw error;
  }
}

function readParts(name: Uint8Array): string[] {
  const parts: string[] = [];
  const sets = new DerReader(name).enter(Tag.SEQUENCE);
  while (!sets.done) {
    const attributes = sets.enter(Tag.SET);
    while (!attributes.done) {
      const attribute = attributes.enter(Tag.SEQUENCE);
      const type = takeOid(attribute);
      const value = new TextDecoder().decode(attribute.take(attribute.tag));
      // deno-lint-ignore no-control-regex
      parts.push(`${SHORT[type] ?? type}=${value.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, "?")}`);
    }
  }
  return parts;
}
