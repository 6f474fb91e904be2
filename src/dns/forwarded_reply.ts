/** The reply to a client, and the text for the log, made from a response of a nameserver. */
import { answerLimit, type Protocol, writeTruncated } from "./answer_writer.ts";
import type { Outcome } from "./exchange.ts";
import type { Query } from "./query_reader.ts";
import { HEADER_LENGTH, putWord, rcodeName, word } from "./wire.ts";

/**
 * The response with the client's id, or a truncated form where it is too long. The bytes are lent, from `into` or the
 * response.
 */
export function fittingReply(
  request: Uint8Array,
  query: Query | null,
  { full, short }: Outcome & { kind: "answer" },
  protocol: Protocol,
  into: Uint8Array,
): Uint8Array {
  const fits = full.bytes.length <= answerLimit(query, protocol);
  if (!fits && short === null && query !== null) {
    return into.subarray(0, writeTruncated(request, query, full.bytes, into));
  }
  const chosen = fits || short === null ? full.bytes : short.bytes;
  putWord(chosen, 0, word(request, 0));
  return chosen;
}

/** Access log text of a response without records. `empty`: the name exists, but has no record of this type. */
export function failureText(rcode: number, empty: boolean): string {
  return `forwarding failed (${empty ? "no records found" : rcodeName(rcode)})`;
}

/** The name as in the question, with its final dot; empty where there is no question. */
export function domainText(request: Uint8Array, query: Query | null): string {
  if (query === null) return "";
  let at = HEADER_LENGTH;
  let name = "";
  for (const label of query.name.split(".")) {
    const length = request[at]!;
    const written = String.fromCharCode(...request.subarray(at + 1, at + 1 + length));
    // A label with escapes is shown in its escaped form.
    name += written.toLowerCase() === label ? `${written}.` : `${label}.`;
    at += length + 1;
  }
  return name;
}
