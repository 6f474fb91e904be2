/** A TLS 1.3 client of the system's OpenSSL between two memory buffers, whose user decides where each record ends. */
const P = "pointer", B = "buffer", I = "i32";
const tls = Deno.dlopen("libssl.so.3", {
  TLS_client_method: { parameters: [], result: P },
  SSL_CTX_new: { parameters: [P], result: P },
  SSL_CTX_use_certificate_file: { parameters: [P, B, I], result: I },
  SSL_CTX_use_PrivateKey_file: { parameters: [P, B, I], result: I },
  SSL_CTX_set_alpn_protos: { parameters: [P, B, "u32"], result: I },
  SSL_new: { parameters: [P], result: P },
  SSL_set_bio: { parameters: [P, P, P], result: "void" },
  SSL_set_connect_state: { parameters: [P], result: "void" },
  SSL_do_handshake: { parameters: [P], result: I },
  SSL_key_update: { parameters: [P, I], result: I },
  SSL_write: { parameters: [P, B, I], result: I },
  SSL_read: { parameters: [P, B, I], result: I },
}).symbols;
const bio = Deno.dlopen("libcrypto.so.3", {
  BIO_s_mem: { parameters: [], result: P },
  BIO_new: { parameters: [P], result: P },
  BIO_read: { parameters: [P, B, I], result: I },
  BIO_write: { parameters: [P, B, I], result: I },
}).symbols;

const PEM = 1, UPDATE_NOT_REQUESTED = 0;
const H2 = new Uint8Array([2, 0x68, 0x32]);
const CHUNK = 65536;

const cString = (value: string) => new TextEncoder().encode(`${value}\0`);

/** A TLS session. */
export class MemoryTls {
  readonly #session: Deno.PointerValue;
  /** Buffers for bytes from the peer and to the peer. */
  readonly #incoming = bio.BIO_new(bio.BIO_s_mem());
  readonly #outgoing = bio.BIO_new(bio.BIO_s_mem());
  readonly #chunk = new Uint8Array(CHUNK);

  /** Paths of PEM files. The peer's certificate is not verified. */
  constructor(certificate: string, key: string) {
    const context = tls.SSL_CTX_new(tls.TLS_client_method());
    if (tls.SSL_CTX_use_certificate_file(context, cString(certificate), PEM) !== 1) {
      throw new Error(`Cannot use the certificate ${certificate}`);
    }
    if (tls.SSL_CTX_use_PrivateKey_file(context, cString(key), PEM) !== 1) throw new Error(`Cannot use the key ${key}`);
    tls.SSL_CTX_set_alpn_protos(context, H2, H2.length);
    this.#session = tls.SSL_new(context);
    tls.SSL_set_bio(this.#session, this.#incoming, this.#outgoing);
    tls.SSL_set_connect_state(this.#session);
  }

  /** True once the handshake is complete. Until then there may be bytes to `take`. */
  handshake(): boolean {
    return tls.SSL_do_handshake(this.#session) === 1;
  }

  /** Encrypts `bytes` as one record, if they have no more than 16 KiB. */
  write(bytes: Uint8Array<ArrayBuffer>): void {
    if (tls.SSL_write(this.#session, bytes, bytes.length) !== bytes.length) throw new Error("Cannot encrypt a record");
  }

  /** Writes a KeyUpdate record: the next records use a new key. */
  updateKey(): void {
    const updated = tls.SSL_key_update(this.#session, UPDATE_NOT_REQUESTED) === 1;
    if (!updated || tls.SSL_do_handshake(this.#session) !== 1) throw new Error("Cannot ask for a new key");
  }

  /** The data decrypted so far; null: none. */
  read(): Uint8Array | null {
    const length = tls.SSL_read(this.#session, this.#chunk, CHUNK);
    return length > 0 ? this.#chunk.slice(0, length) : null;
  }

  /** Adds bytes from the peer. */
  put(bytes: Uint8Array<ArrayBuffer>, length: number): void {
    bio.BIO_write(this.#incoming, bytes, length);
  }

  /** Returns all bytes for the peer. */
  take(): Uint8Array<ArrayBuffer>[] {
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    for (let length; (length = bio.BIO_read(this.#outgoing, this.#chunk, CHUNK)) > 0;) {
      chunks.push(this.#chunk.slice(0, length));
    }
    return chunks;
  }
}
