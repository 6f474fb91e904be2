/** The addresses in an answer, behind its aliases. */
import { type Ip, ipv4FromBytes, ipv6FromBytes } from "../net/address.ts";
import { endOfName, nameText } from "./name.ts";
import { endOfRecord, RECORD_FIXED } from "./query_reader.ts";
import { ANSWERS_AT, CLASS_IN, HEADER_LENGTH, TYPE_A, TYPE_AAAA, TYPE_CNAME, word } from "./wire.ts";

export interface FoundAddresses {
  readonly addresses: readonly Ip[];
  /** Where the aliases lead; the name asked for where there are none. */
  readonly canonical: string;
}

/** Within one answer; a chain that goes round ends there. */
const MAX_ALIASES = 16;
/** Records that are examined: no client needs more addresses of one workload; each name has up to 255 bytes. */
const MAX_RECORDS = 512;

/** `type`: A or AAAA, which was asked for. The response is one that `readResponse` has accepted. */
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
