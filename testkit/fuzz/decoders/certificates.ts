/** Certificates, revocation lists and PEM texts. */
import { isMalformed, parseCertificate } from "../../../src/identity/certificate.ts";
import { isMalformedFile, parseCrlFile } from "../../../src/identity/crl_file.ts";
import { nameText } from "../../../src/identity/name_text.ts";
import { decodePem, isPemProblem } from "../../../src/identity/pem.ts";
import { hasSerial } from "../../../src/identity/serial_set.ts";
import { type FuzzedDecoder, holds, latin1 } from "../decoder.ts";

const certificate: FuzzedDecoder = {
  name: "certificate",
  run(input) {
    const parsed = parseCertificate(input);
    if (isMalformed(parsed)) return holds(parsed.problem !== "", "a refusal has a reason");
    nameText(parsed.subject);
    nameText(parsed.issuer);
    holds(!Number.isNaN(parsed.notBefore) && !Number.isNaN(parsed.notAfter), "the validity is a number");
  },
};

const crl: FuzzedDecoder = {
  name: "crl",
  run(input) {
    const lists = parseCrlFile(input);
    if (isMalformedFile(lists)) return holds(lists.problem !== "", "a refusal has a reason");
    for (const { serials } of lists) hasSerial(serials, Uint8Array.of(1, 2, 3));
  },
};

const pem: FuzzedDecoder = {
  name: "pem",
  run(input) {
    const blocks = decodePem(latin1(input));
    if (isPemProblem(blocks)) return;
    const total = blocks.reduce((sum, { der }) => sum + der.length, 0);
    holds(total <= input.length, "the blocks have at most the bytes of the text");
  },
};

/** The decoders of this file. */
export const CERTIFICATE_DECODERS: readonly FuzzedDecoder[] = [certificate, crl, pem];
