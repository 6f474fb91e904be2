/** The secrets that protect the application's records. OpenSSL passes them on as lines of a key log. */

import { memoryForSecrets } from "./record_suite.ts";

/** By the role of the end that sends with it. */
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

/** Used within one call. */
const label = new Uint8Array(LABEL), digits = memoryForSecrets(LONG);

/** Reads a line, a C string. Lines with other secrets change nothing. No text is made of it, which would stay in memory. */
export function readSecretLine(line: Deno.PointerValue, into: TrafficSecrets): void {
  const view = new Deno.UnsafePointerView(line!);
  view.copyInto(label);
  const role = equal(label, CLIENT) ? "client" : equal(label, SERVER) ? "server" : null;
  if (role === null) return;
  const start = LABEL + RANDOM;
  const length = view.getUint8(start + SHORT) === 0 ? SHORT : LONG;
  view.copyInto(digits.subarray(0, length), start);
  const secret = memoryForSecrets(length / 2);
  for (let i = 0; i < secret.length; i++) secret[i] = valueOf(digits[2 * i]!) << 4 | valueOf(digits[2 * i + 1]!);
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
  return a.every((byte, i) => byte === b[i]);
}
