/** DNS: queries of applications, responses of upstream servers, the hosts file. */
import { readAddresses } from "../../../src/dns/address_reader.ts";
import { parseHostsFile } from "../../../src/dns/hosts_file.ts";
import { readQuery } from "../../../src/dns/query_reader.ts";
import { ageRecords, readResponse } from "../../../src/dns/response_reader.ts";
import { TYPE_A } from "../../../src/dns/wire.ts";
import { type FuzzedDecoder, holds, utf8 } from "../decoder.ts";

const query: FuzzedDecoder = {
  name: "dns-query",
  run(input) {
    const reading = readQuery(input);
    if (reading.kind !== "query") return;
    holds(reading.query.questionEnd <= input.length, "the question ends inside of the message");
    holds(reading.query.name.length <= 4 * 255, "a name has at most 255 bytes, each of which may be escaped");
  },
};

/** The question for www.google.com with the id 4711, to which the responses of the corpus belong. */
const QUESTION = Uint8Array.fromHex("126701000001000000000000" + "0377777706676f6f676c6503636f6d00" + "00010001");

const response: FuzzedDecoder = {
  name: "dns-response",
  run(input) {
    const facts = readResponse(input, { bytes: QUESTION, questionEnd: QUESTION.length }, 4711);
    if (facts === null || input.length === 12) return;
    holds(facts.lifetime >= 0 && facts.lifetime <= 86_400, "a lifetime is at most a day");
    holds(readAddresses(input, QUESTION.length, TYPE_A).addresses.length <= 512, "at most 512 addresses are read");
    ageRecords(input, QUESTION.length, 5);
    holds(readResponse(input, { bytes: QUESTION, questionEnd: QUESTION.length }, 4711) !== null, "it stays valid");
  },
};

const hosts: FuzzedDecoder = {
  name: "hosts-file",
  // Up to 10,000 lines with an invalid address each. The file is the node's own.
  maxMillis: 1000,
  run: (input) => void parseHostsFile(utf8(input)),
};

/** The decoders of this file. */
export const DNS_DECODERS: readonly FuzzedDecoder[] = [query, response, hosts];
