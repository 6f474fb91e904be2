/**
 * Protects the records of one direction of a TLS 1.3 session (RFC 8446 §5.2, §5.3).
 *
 * A nonce is never used twice: it is made of the number of the record, which only grows, and starts again with a new key
 * only. The TLS library itself refuses to continue with a nonce that has been used.
 */
import { IV, type RecordSuite } from "./record_suite.ts";

/** Bytes of the header of a record, and of the tag at its end. */
export const HEADER = 5, TAG = 16;
/** Bytes that a record has besides its data: header, content type, tag. */
export const OVERHEAD = HEADER + 1 + TAG;
/** The first byte of every record that is encrypted. */
export const APPLICATION_DATA = 23;

const SET_TAG = 0x11, GET_TAG = 0x10;
const ENCRYPT = 1, DECRYPT = 0, UNCHANGED = -1;

/** Used within one call each. */
const nonce = new Uint8Array(IV), header = new Uint8Array(HEADER), tag = new Uint8Array(TAG);
const typeIn = new Uint8Array(1), tail = new Uint8Array(32), count = new Uint8Array(4);

/** Of both directions. Whoever has them frees them. */
export interface RecordCiphers {
  readonly send: RecordCipher;
  readonly receive: RecordCipher;
}

/** Whoever has it calls {@link free}. */
export class RecordCipher {
  readonly #suite: RecordSuite;
  readonly #encrypts: boolean;
  #context: Deno.PointerValue;
  /** The traffic secret, and behind it the constant part of all nonces. */
  readonly #secrets: Uint8Array<ArrayBuffer>;
  readonly #ivAt: number;
  /** The number of the next record, in two halves. */
  #low = 0;
  #high = 0;

  /** Takes over `secret`, of `memoryForSecret`. Throws where the library refuses the key. */
  constructor(suite: RecordSuite, secret: Uint8Array<ArrayBuffer>, direction: "send" | "receive") {
    this.#suite = suite;
    this.#encrypts = direction === "send";
    this.#ivAt = suite.secretBytes;
    if (secret.length !== suite.secretBytes + IV) throw new RangeError(`a secret of ${secret.length - IV} bytes`);
    this.#secrets = secret;
    this.#context = suite.crypto.EVP_CIPHER_CTX_new();
    this.#setKey();
  }

  /** Records since the key was set. */
  get records(): number {
    return this.#high * 4294967296 + this.#low;
  }

  /** Replaces the key by the next one (RFC 8446 §7.2). */
  update(): void {
    this.#suite.expand(this.#secret, "traffic upd", this.#secret);
    this.#setKey();
  }

  /**
   * Writes the record of `data` to `into`, from `at` on. Returns its length. Throws where the library refuses, which has
   * not been seen; nothing of the record may be sent then.
   */
  seal(type: number, data: Uint8Array, into: Uint8Array, at: number): number {
    const size = data.length, body = size + 1 + TAG, { crypto } = this.#suite, context = this.#context;
    if (at + HEADER + body > into.length) throw new RangeError("no room for a record");
    into[at] = header[0] = APPLICATION_DATA;
    into[at + 1] = header[1] = 3;
    into[at + 2] = header[2] = 3;
    into[at + 3] = header[3] = body >>> 8;
    into[at + 4] = header[4] = body & 0xff;
    const out = into.subarray(at + HEADER, at + HEADER + body) as Uint8Array<ArrayBuffer>;
    typeIn[0] = type;
    const sealed = this.#begin() &&
      crypto.EVP_CipherUpdate(context, null, count, header, HEADER) === 1 &&
      (size === 0 || crypto.EVP_CipherUpdate(context, out, count, data as Uint8Array<ArrayBuffer>, size) === 1) &&
      crypto.EVP_CipherUpdate(context, tail, count, typeIn, 1) === 1 &&
      crypto.EVP_CipherFinal_ex(context, tag, count) === 1 &&
      crypto.EVP_CIPHER_CTX_ctrl(context, GET_TAG, TAG, tag) === 1;
    if (!sealed) throw new Error("the TLS library cannot encrypt a record");
    out[size] = tail[0]!;
    for (let i = 0; i < TAG; i++) out[size + 1 + i] = tag[i]!;
    return HEADER + body;
  }

  /**
   * Decrypts the record at `at` of `from`, whose header says that it has `body` bytes more. Returns how many bytes were
   * written to the start of `into`; -1: the record is not authentic, and `into` has zeros in their place.
   */
  open(from: Uint8Array, at: number, body: number, into: Uint8Array): number {
    const size = body - TAG, { crypto } = this.#suite, context = this.#context;
    const start = at + HEADER, tagAt = start + size;
    if (size < 0 || tagAt + TAG > from.length || size > into.length) throw new RangeError("not within the buffers");
    for (let i = 0; i < HEADER; i++) header[i] = from[at + i]!;
    for (let i = 0; i < TAG; i++) tag[i] = from[tagAt + i]!;
    const data = from.subarray(start, tagAt) as Uint8Array<ArrayBuffer>;
    const isAuthentic = this.#begin() &&
      crypto.EVP_CIPHER_CTX_ctrl(context, SET_TAG, TAG, tag) === 1 &&
      crypto.EVP_CipherUpdate(context, null, count, header, HEADER) === 1 &&
      (size === 0 || crypto.EVP_CipherUpdate(context, into as Uint8Array<ArrayBuffer>, count, data, size) === 1) &&
      crypto.EVP_CipherFinal_ex(context, tail, count) === 1;
    if (isAuthentic) return size;
    into.fill(0, 0, size);
    crypto.ERR_clear_error();
    return -1;
  }

  /** Frees the key and overwrites the secret. Idempotent. */
  free(): void {
    this.#secrets.fill(0);
    if (this.#context !== null) this.#suite.crypto.EVP_CIPHER_CTX_free(this.#context);
    this.#context = null;
  }

  get #secret(): Uint8Array<ArrayBuffer> {
    return this.#secrets.subarray(0, this.#ivAt);
  }

  #setKey(): void {
    const suite = this.#suite, { key } = suite;
    suite.expand(this.#secret, "key", key);
    suite.expand(this.#secret, "iv", this.#secrets.subarray(this.#ivAt));
    const direction = this.#encrypts ? ENCRYPT : DECRYPT;
    // The nonce follows with each record.
    const taken = suite.crypto.EVP_CipherInit_ex(this.#context, suite.cipher, null, key, null, direction) === 1;
    key.fill(0);
    if (!taken) throw new Error("the TLS library refuses a key of its own cipher");
    this.#low = this.#high = 0;
  }

  /** Sets the nonce of the next record. False: the library refuses it. */
  #begin(): boolean {
    if (this.#context === null) throw new Error("the record cipher is freed");
    const secrets = this.#secrets, iv = this.#ivAt, low = this.#low, high = this.#high;
    nonce[0] = secrets[iv]!;
    nonce[1] = secrets[iv + 1]!;
    nonce[2] = secrets[iv + 2]!;
    nonce[3] = secrets[iv + 3]!;
    nonce[4] = secrets[iv + 4]! ^ (high >>> 24);
    nonce[5] = secrets[iv + 5]! ^ (high >>> 16);
    nonce[6] = secrets[iv + 6]! ^ (high >>> 8);
    nonce[7] = secrets[iv + 7]! ^ high;
    nonce[8] = secrets[iv + 8]! ^ (low >>> 24);
    nonce[9] = secrets[iv + 9]! ^ (low >>> 16);
    nonce[10] = secrets[iv + 10]! ^ (low >>> 8);
    nonce[11] = secrets[iv + 11]! ^ low;
    if (low < 0xffffffff) this.#low = low + 1;
    else this.#carry();
    return this.#suite.crypto.EVP_CipherInit_ex(this.#context, null, null, null, nonce, UNCHANGED) === 1;
  }

  #carry(): void {
    if (this.#high === 0xffffffff) throw new Error("the numbers of records are used up");
    this.#low = 0;
    this.#high++;
  }
}
