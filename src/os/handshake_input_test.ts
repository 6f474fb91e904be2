import { strict as assert } from "node:assert";
import { bufferedInput, takeBuffered } from "./handshake_input.ts";
import { openTlsLibrary } from "./open_tls_library.ts";

/** Opened once: libraries stay in the process. */
const { crypto } = openTlsLibrary();
const bytes = Uint8Array.from({ length: 6000 }, (_, i) => i * 7);

Deno.test("handshake input: what was read from the source and not from the buffer is taken, once", () => {
  const source = crypto.BIO_new(crypto.BIO_s_mem());
  crypto.BIO_write(source, bytes, bytes.length);
  const input = bufferedInput(crypto, source);
  const header = new Uint8Array(5);
  assert.equal(crypto.BIO_read(input, header, 5), 5);
  assert.deepEqual(header, bytes.slice(0, 5));
  assert.deepEqual(takeBuffered(crypto, input), bytes.slice(5, 4096));
  const rest = new Uint8Array(6000);
  assert.equal(crypto.BIO_read(source, rest, 6000), 6000 - 4096);
  assert.equal(takeBuffered(crypto, input).length, 0);
});
