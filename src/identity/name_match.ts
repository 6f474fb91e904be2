/**
 * Whether two distinguished names are equal (RFC 5280 §7.1): character strings are compared without regard to case, to
 * spaces around them, to the number of spaces between words, and to their encoding; everything else byte by byte.
 */
import { DerError, DerReader, Tag, takeOid } from "./der.ts";
import { equalBytes } from "./certificate.ts";

/** UTF8String, PrintableString, IA5String (RFC 5280 §7.3): their bytes are valid UTF-8. */
const TEXTS: ReadonlySet<number> = new Set([Tag.UTF8_STRING, 0x13, 0x16]);

/** Compares two Name elements. A name that cannot be parsed is equal only to the same bytes. Never throws. */
export function sameName(a: Uint8Array, b: Uint8Array): boolean {
  if (equalBytes(a, b)) return true;
  const key = nameKey(a);
  return key !== null && key === nameKey(b);
}

/** Returns the same text for equal names; null where `name`, a Name element, cannot be parsed. Never throws. */
export function nameKey(name: Uint8Array): string | null {
  try {
    return JSON.stringify(readName(name));
  } catch (error) {
    if (error instanceof DerError) return null;
    throw error;
  }
}

/** The attributes of each RDN, sorted: DER sorts them by encoding, which may differ between equal names. */
function readName(name: Uint8Array): string[][] {
  const outer = new DerReader(name);
  const sets = outer.enter(Tag.SEQUENCE);
  outer.finish();
  const rdns: string[][] = [];
  while (!sets.done) {
    const attributes = sets.enter(Tag.SET);
    const rdn: string[] = [];
    while (!attributes.done) {
      const attribute = attributes.enter(Tag.SEQUENCE);
      rdn.push(`${takeOid(attribute)} ${readValue(attribute)}`);
      attribute.finish();
    }
    rdns.push(rdn.sort());
  }
  return rdns;
}

function readValue(attribute: DerReader): string {
  const { tag } = attribute;
  if (!TEXTS.has(tag)) return `#${attribute.whole().toHex()}`;
  try {
    return `=${normalized(new TextDecoder("utf-8", { fatal: true }).decode(attribute.take(tag)))}`;
  } catch (error) {
    if (error instanceof DerError) throw error;
    throw new DerError("a string is no UTF-8");
  }
}

/** The part of RFC 4518's preparation that RFC 5280 needs: compatibility forms, case, insignificant spaces. */
function normalized(text: string): string {
  return text.normalize("NFKC").toLowerCase().normalize("NFKC").replace(/\s+/gu, " ").trim();
}
