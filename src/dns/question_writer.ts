/** Writes questions of our own, as a stub resolver sends them. */
import { putName } from "./name.ts";
import {
  ADDITIONALS_AT,
  CLASS_IN,
  FLAGS_AT,
  HEADER_LENGTH,
  MAX_NAME,
  putWord,
  QUESTIONS_AT,
  RD,
  TYPE_OPT,
} from "./wire.ts";
import type { Message } from "./response_reader.ts";

/** UDP payload that we accept, where `resolv.conf` has the option `edns0`. */
const PAYLOAD = 1232;
const OPT_LENGTH = 11;

/** A question with id 0 for the absolute name `name`, which may have a final dot; null where that is no valid name. */
export function writeQuestion(name: string, type: number, edns: boolean): Message | null {
  const bytes = new Uint8Array(HEADER_LENGTH + MAX_NAME + 8 + OPT_LENGTH);
  const nameEnd = putName(name, bytes, HEADER_LENGTH);
  if (nameEnd < 0) return null;
  putWord(bytes, FLAGS_AT, RD);
  putWord(bytes, QUESTIONS_AT, 1);
  putWord(bytes, nameEnd, type);
  putWord(bytes, nameEnd + 2, CLASS_IN);
  const questionEnd = nameEnd + 4;
  if (!edns) return { bytes: bytes.subarray(0, questionEnd), questionEnd };
  putWord(bytes, ADDITIONALS_AT, 1);
  putWord(bytes, questionEnd + 1, TYPE_OPT);
  putWord(bytes, questionEnd + 3, PAYLOAD);
  return { bytes: bytes.subarray(0, questionEnd + OPT_LENGTH), questionEnd };
}
