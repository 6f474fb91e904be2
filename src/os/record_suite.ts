/** The cipher suites of TLS 1.3, as far as keys and records need them. */
import { cString } from "./libc.ts";
import type { Crypto } from "./tls_symbols.ts";

/** Bytes of the part of a nonce that a traffic secret determines (RFC 8446 §5.3). */
export const IV = 12;

interface Parameters {
  /** OpenSSL's names. */
  readonly cipher: string;
  readonly digest: string;
  /** Bytes of a key, of a hash, which are those of a traffic secret, and of the blocks that are hashed. */
  readonly key: number;
  readonly hash: number;
  readonly block: number;
}

const SHA256 = { digest: "SHA256", hash: 32, block: 64 } as const;
const PARAMETERS: ReadonlyMap<string, Parameters> = new Map([
  ["TLS_AES_256_GCM_SHA384", { cipher: "AES-256-GCM", key: 32, digest: "SHA384", hash: 48, block: 128 }],
  ["TLS_AES_128_GCM_SHA256", { cipher: "AES-128-GCM", key: 16, ...SHA256 }],
  ["TLS_CHACHA20_POLY1305_SHA256", { cipher: "ChaCha20-Poly1305", key: 32, ...SHA256 }],
]);

const ENCODER = new TextEncoder();
const PREFIX = "tls13 ";
const LONGEST_HASH = 48, LONGEST_BLOCK = 128, LONGEST_INFO = 64;
/** The bytes of the inner and outer padding of HMAC (RFC 2104 §2). */
const INNER = 0x36, OUTER = 0x5c;
/** Used within one call each. They hold secrets until its end. */
const inner = memoryForSecrets(LONGEST_BLOCK + LONGEST_INFO), outer = memoryForSecrets(LONGEST_BLOCK + LONGEST_HASH);
const digest = memoryForSecrets(LONGEST_HASH);

/** Memory that the garbage collector does not move, so that no copy is left when it is overwritten. */
function memoryForSecrets(bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(bytes));
}

/** Memory for a traffic secret of `bytes` bytes, and behind it for the constant part of the nonces that belong to it. */
export function memoryForSecret(bytes: number): Uint8Array<ArrayBuffer> {
  return memoryForSecrets(bytes + IV);
}

/** One for each thread and suite. The owner calls {@link free}. */
export class RecordSuite {
  readonly crypto: Crypto;
  readonly cipher: Deno.PointerValue;
  /** For a key, until it is passed to the library. */
  readonly key: Uint8Array<ArrayBuffer>;
  readonly #digest: Deno.PointerValue;
  readonly #parameters: Parameters;
  /** HkdfLabel by its label, and the byte 1 of HKDF-Expand. */
  readonly #infos = new Map<string, Uint8Array>();

  private constructor(
    crypto: Crypto,
    parameters: Parameters,
    cipher: Deno.PointerValue,
    digest: Deno.PointerValue,
  ) {
    this.crypto = crypto;
    this.#parameters = parameters;
    this.key = memoryForSecrets(parameters.key);
    this.cipher = cipher;
    this.#digest = digest;
  }

  /** `name`: of the suite. Null: it is unknown, or the library does not have its algorithms. */
  static open(crypto: Crypto, name: string): RecordSuite | null {
    const parameters = PARAMETERS.get(name);
    if (parameters === undefined) return null;
    const cipher = crypto.EVP_CIPHER_fetch(null, cString(parameters.cipher), null);
    const digest = crypto.EVP_MD_fetch(null, cString(parameters.digest), null);
    if (cipher !== null && digest !== null) return new RecordSuite(crypto, parameters, cipher, digest);
    crypto.EVP_CIPHER_free(cipher);
    crypto.EVP_MD_free(digest);
    crypto.ERR_clear_error();
    return null;
  }

  get secretBytes(): number {
    return this.#parameters.hash;
  }

  /**
   * HKDF-Expand-Label with an empty context (RFC 8446 §7.1), into the whole of `into`. Nothing that is derived here is
   * longer than a hash, so HKDF-Expand is a single HMAC (RFC 5869 §2.3). It is made of two calls of a digest: the
   * library's HMAC looks for its algorithm in each call, which takes ten times as long.
   */
  expand(secret: Uint8Array, label: string, into: Uint8Array): void {
    const { block, hash } = this.#parameters;
    if (secret.length > block || into.length > hash) throw new RangeError(`"${label}" of ${into.length} bytes`);
    const info = this.#info(label, into.length);
    for (let i = 0; i < block; i++) {
      const byte = i < secret.length ? secret[i]! : 0;
      inner[i] = byte ^ INNER;
      outer[i] = byte ^ OUTER;
    }
    inner.set(info, block);
    this.#hash(inner, block + info.length);
    outer.set(digest, block);
    this.#hash(outer, block + hash);
    for (let i = 0; i < into.length; i++) into[i] = digest[i]!;
    for (const used of [inner, outer, digest]) used.fill(0);
  }

  free(): void {
    this.crypto.EVP_CIPHER_free(this.cipher);
    this.crypto.EVP_MD_free(this.#digest);
  }

  #hash(bytes: Uint8Array<ArrayBuffer>, length: number): void {
    const made = this.crypto.EVP_Digest(bytes, length, digest, null, this.#digest, null);
    if (made !== 1) throw new Error("the TLS library cannot hash");
  }

  #info(label: string, size: number): Uint8Array {
    let info = this.#infos.get(label);
    if (info === undefined) {
      info = new Uint8Array(PREFIX.length + label.length + 5);
      info[1] = size;
      info[2] = PREFIX.length + label.length;
      ENCODER.encodeInto(PREFIX + label, info.subarray(3));
      info[info.length - 1] = 1;
      this.#infos.set(label, info);
    }
    return info;
  }
}
