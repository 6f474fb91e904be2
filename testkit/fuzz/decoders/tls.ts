/** Records of TLS 1.3 after the handshake, beside OpenSSL. */
import { Alert } from "../../../src/net/tls_alerts.ts";
import { TlsOracle } from "../../tls_oracle.ts";
import { type FuzzedDecoder, holds } from "../decoder.ts";

/** Bytes of the longest input that does not reach OpenSSL's limits of records that change nothing. */
const FEW = 16;
/** Bytes: fewer key updates than are a flood. */
const LONGEST = 180;

/** Its library and its callbacks stay in the process. */
const oracle = new TlsOracle();

/** The first two bytes are the length of the pieces in which the records arrive; the others say what they are. */
const records: FuzzedDecoder = {
  name: "tls-records",
  longest: LONGEST,
  // Each input is a handshake, and up to 100 KB of records.
  maxMillis: 500,
  run(input) {
    const piece = 1 + ((input[0] ?? 0) << 8 | (input[1] ?? 0)) % 40_000;
    // A client is the sender, since its peer skips no tickets.
    const { ours, openssl, data } = oracle.compare(input.slice(2), "client", piece);
    holds(begins(data, ours.data), "the data is what the peer has protected, in order, from its start");
    // OpenSSL has limits of its own for empty records and for alerts that change nothing.
    if (openssl.end === "failed" && input.length > FEW) return;
    // Behind user_canceled OpenSSL 3.5 does not report close_notify as an end; it sends no alert for it.
    if (openssl.end === "failed" && openssl.alert === null && ours.end === "closed") return;
    holds(begins(openssl.data, ours.data), "no data is returned that OpenSSL does not return");
    // OpenSSL takes too much padding, and change_cipher_spec.
    if (ours.alert === Alert.RECORD_OVERFLOW || ours.alert === Alert.UNEXPECTED_MESSAGE) return;
    holds(ours.end === openssl.end, "both end in the same way");
    holds(ours.data.length === openssl.data.length, "both return the same data");
  },
};

function begins(whole: Uint8Array, part: Uint8Array): boolean {
  return part.length <= whole.length && part.every((byte, i) => byte === whole[i]);
}

/** The decoders of this file. */
export const TLS_DECODERS: readonly FuzzedDecoder[] = [records];
