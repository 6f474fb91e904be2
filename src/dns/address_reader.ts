/** Reads the addresses in a response, following its aliases. */
import { type Ip, ipv4FromBytes, ipv6FromBytes } from "../net/address.ts";
import { endOfName, nameText } from "./name.ts";
import { endOfRecord, RECORD_FIXED } from "./query_reader.ts";
import { ANSWERS_AT, CLASS_IN, HEADER_LENGTH, TYPE_A, TYPE_AAAA, TYPE_CNAME, word } from "./wire.ts";

/** The addresses of the name at the end of the aliases. */
interface FoundAddresses {
  readonly addresses: readonly Ip[];
  /** The name at the end of the aliases; without aliases, the name of the question. */
  readonly canonical: string;
}

/** Aliases followed within one response, which also ends loops. */
const MAX_ALIASES = 16;
/** Records read at most. No client needs more addresses of one name, and each record may have a name of 255 bytes. */
const MAX_RECORDS = 512;

/** `type`: A or AAAA, as in the question. The response must be one that `readResponse` has accepted. */
export function readAddresses(bytes: Uint8Array, questionEnd: number, type: number): FoundAddresses {
  const aliases = new Map<string, string>();
  const found = new Map<string, Ip[]>();
  let at = questionEnd;
  for (let left = Math.min(word(bytes, ANSWERS_AT), MAX_RECORDS); left > 0; left--) {
    const fixed = endOfName(bytes, at);
    const end = endOfRecord(bytes, fixed);
    const owner = nameText(bytes, at);
    const data = fixed + RECORD_FIXED;
    const isIn = word(bytes, fixed + 2) === CLASS_IN;
    if (isIn && word(bytes, fixed) === TYPE_CNAME && endOfName(bytes, data) === end) {
      aliases.set(owner, nameText(bytes, data));
    } else if (isIn && word(bytes, fixed) === type) {
      const ip = addressAt(bytes, data, end, type);
      if (ip !== null) listOf(found, owner).push(ip);
    }
    at = end;
  }
  let canonical = nameText(bytes, HEADER_LENGTH);
  for (let i = 0; i < MAX_ALIASES && !found.has(canonical); i++) canonical = aliases.get(canonical) ?? canonical;
  return { addresses: found.get(canonical) ?? [], canonical };
}

function listOf(found: Map<string, Ip[]>, owner: string): Ip[] {
  let list = found.get(owner);
  if (list === undefined) found.set(owner, list = []);
  return list;
}

function addressAt(bytes: Uint8Array, data: number, end: number, type: number): Ip | null {
  if (type === TYPE_A && end - data === 4) return ipv4FromBytes(bytes, data);
  if (type === TYPE_AAAA && end - data === 16) return ipv6FromBytes(bytes, data);
  return null;
}
