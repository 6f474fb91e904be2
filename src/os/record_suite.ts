/** The cipher suites of TLS 1.3, as far as keys and records need them. */
import { cString } from "./libc.ts";
import type { Crypto } from "./tls_symbols.ts";

/** Bytes of the part of a nonce that a traffic secret determines (RFC 8446 §5.3). */
export const IV = 12;

interface Parameters {
  /** OpenSSL's name of the cipher. */
  readonly cipher: string;
  /** Bytes. */
  readonly key: number;
  /** Bytes of a hash, and so of a traffic secret. */
  readonly hash: 32 | 48;
}

const PARAMETERS: ReadonlyMap<string, Parameters> = new Map([
  ["TLS_AES_256_GCM_SHA384", { cipher: "AES-256-GCM", key: 32, hash: 48 }],
  ["TLS_AES_128_GCM_SHA256", { cipher: "AES-128-GCM", key: 16, hash: 32 }],
  ["TLS_CHACHA20_POLY1305_SHA256", { cipher: "ChaCha20-Poly1305", key: 32, hash: 32 }],
]);

const ENCODER = new TextEncoder();
const PREFIX = "tls13 ";
const LONGEST_HASH = 48;
/** Used within one call. */
const block = memoryForSecrets(LONGEST_HASH);

/** Memory that the garbage collector does not move, so that no copy is left when it is overwritten. */
export function memoryForSecrets(bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(bytes));
}

/** One for each thread and suite. The owner calls {@link free}. */
export class RecordSuite {
  readonly crypto: Crypto;
  readonly cipher: Deno.PointerValue;
  readonly keyBytes: number;
  readonly secretBytes: number;
  readonly #hash: Deno.PointerValue;

  private constructor(crypto: Crypto, parameters: Parameters, cipher: Deno.PointerValue) {
    this.crypto = crypto;
    this.cipher = cipher;
    this.keyBytes = parameters.key;
    this.secretBytes = parameters.hash;
    this.#hash = parameters.hash === 48 ? crypto.EVP_sha384() : crypto.EVP_sha256();
  }

  /** `name`: of the suite. Null: it is unknown, or the library does not have its cipher. */
  static open(crypto: Crypto, name: string): RecordSuite | null {
    const parameters = PARAMETERS.get(name);
    if (parameters === undefined) return null;
    const cipher = crypto.EVP_CIPHER_fetch(null, cString(parameters.cipher), null);
    if (cipher === null) crypto.ERR_clear_error();
    return cipher === null ? null : new RecordSuite(crypto, parameters, cipher);
  }

  /**
   * HKDF-Expand-Label with an empty context (RFC 8446 §7.1), into the whole of `into`. Nothing that is derived here is
   * longer than a hash, so HKDF-Expand is a single HMAC (RFC 5869 §2.3).
   */
  expand(secret: Uint8Array<ArrayBuffer>, label: string, into: Uint8Array): void {
    const info = new Uint8Array(PREFIX.length + label.length + 5);
    info[1] = into.length;
    info[2] = PREFIX.length + label.length;
    ENCODER.encodeInto(PREFIX + label, info.subarray(3));
    info[info.length - 1] = 1;
    const made = this.crypto.HMAC(this.#hash, secret, secret.length, info, BigInt(info.length), block, null);
    if (made === null) throw new Error(`the TLS library cannot derive "${label}"`);
    into.set(block.subarray(0, into.length));
    block.fill(0);
  }

  free(): void {
    this.crypto.EVP_CIPHER_free(this.cipher);
  }
}
