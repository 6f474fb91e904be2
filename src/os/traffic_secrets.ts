/** The secrets that protect the application's records. OpenSSL passes them on as lines of a key log. */

import { memoryForSecret } from "./record_suite.ts";

/** By the role of the end that sends with it. In memory of `memoryForSecret`, as `RecordCipher` takes it. */
export interface TrafficSecrets {
  client: Uint8Array<ArrayBuffer> | null;
  server: Uint8Array<ArrayBuffer> | null;
}

/** `CLIENT_TRAFFIC_SECRET_0 ` or `SERVER_TRAFFIC_SECRET_0 `. Every line is longer. */
const LABEL = 24;
/** The client's random of the handshake in hexadecimal digits, and a space. */
const RANDOM = 65;
const SHORT = 64, LONG = 96;
const CLIENT = labelBytes("CLIENT"), SERVER = labelBytes("SERVER");

/** Where the two differ from the labels of other secrets: CLIENT_HANDSHAKE_TRAFFIC_SECRET, EXPORTER_SECRET. */
const MARK = 7, LETTER_T = 0x54;

/** Used within one call. */
const label = new Uint8Array(LABEL), digits = memoryForSecret(LONG).subarray(0, LONG);

/** Reads a line, a C string. Lines with other secrets change nothing. No text is made of it, which would stay in memory. */
export function readSecretLine(line: Deno.PointerValue, into: TrafficSecrets): void {
  const view = new Deno.UnsafePointerView(line!);
  if (view.getUint8(MARK) !== LETTER_T) return;
  view.copyInto(label);
  const role = equal(label, CLIENT) ? "client" : equal(label, SERVER) ? "server" : null;
  if (role === null) return;
  const start = LABEL + RANDOM;
  const length = view.getUint8(start + SHORT) === 0 ? SHORT : LONG;
  view.copyInto(length === LONG ? digits : digits.subarray(0, SHORT), start);
  const secret = memoryForSecret(length / 2);
  for (let i = 0; i < length / 2; i++) secret[i] = valueOf(digits[2 * i]!) << 4 | valueOf(digits[2 * i + 1]!);
  digits.fill(0);
  into[role] = secret;
}

/** Of a hexadecimal digit. */
function valueOf(character: number): number {
  return character <= 0x39 ? character - 0x30 : (character | 0x20) - 0x57;
}

function labelBytes(role: string): Uint8Array {
  return new TextEncoder().encode(`${role}_TRAFFIC_SECRET_0 `);
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
