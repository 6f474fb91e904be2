/**
 * What a socket delivers during a handshake. Until the application's keys are there OpenSSL reads the header and the rest
 * of each record by a system call of its own. A buffering BIO in front of the socket takes by one read(2) what there is,
 * so it may hold bytes behind the handshake.
 */
import type { Crypto } from "./tls_symbols.ts";

const BIO_PENDING = 10;
const NOTHING = new Uint8Array(0);

/** Returns a BIO that reads from `socket`, another BIO, in portions of 4 KiB. It owns `socket`. */
export function bufferedInput(crypto: Crypto, socket: Deno.PointerValue): Deno.PointerValue {
  return crypto.BIO_push(crypto.BIO_new(crypto.BIO_f_buffer()), socket);
}

/** Removes and returns what `input`, a BIO, has and was not read yet. */
export function takeBuffered(crypto: Crypto, input: Deno.PointerValue): Uint8Array {
  const count = crypto.BIO_ctrl(input, BIO_PENDING, 0, null);
  if (count <= 0) return NOTHING;
  const bytes = new Uint8Array(count);
  crypto.BIO_read(input, bytes, count);
  return bytes;
}
