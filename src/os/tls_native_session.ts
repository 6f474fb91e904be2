/**
 * One TLS session. On a socket OpenSSL reads through its own read-ahead buffer and writes through a buffering BIO, so
 * that records leave in whole offload units (`docs/spec/dataplane-speed.md` 2). In memory the caller moves the bytes.
 */
import { errno, intCell } from "./libc.ts";
import { EAGAIN } from "./errno.ts";
import { MessageBudget } from "./message_budget.ts";
import { pointerTo } from "./pointers.ts";
import { readCString } from "./tls_library.ts";
import type { TlsFailure } from "./tls_failure.ts";
import type { NativeTls } from "./tls_native.ts";
import { pathKey } from "./verified_paths.ts";
import { GET_NEGOTIATED_GROUP } from "./tls_numbers.ts";
import { TlsSettingsError } from "./tls_native_context.ts";

const BIO_PENDING = 10, BIO_FLUSH = 11, BIO_SET_BUFFER_SIZE = 117, BIO_SET_MEMORY_END = 130;
const SSL_ERROR_WANT_READ = 2, SSL_ERROR_WANT_WRITE = 3, SSL_ERROR_SYSCALL = 5, SSL_ERROR_ZERO_RETURN = 6;
/** `X509_V_ERR_*`, which become the alerts bad_certificate and certificate_revoked. */
const CERTIFICATE_REJECTED = 28, CERTIFICATE_REVOKED = 23;
const RECEIVED_SHUTDOWN = 2;
/** Used within one call each. */
const DIGEST = new Uint8Array(32);
const WRITE_SIDE = intCell(1).bytes;
const PROTOCOL_ADDRESS = new BigUint64Array(1), PROTOCOL_ADDRESS_BYTES = new Uint8Array(PROTOCOL_ADDRESS.buffer);
const PROTOCOL_LENGTH = intCell();
const PROTOCOL = new Uint8Array(255);
const DECODER = new TextDecoder();
const H = 0x68, TWO = 0x32;

/** Returned by {@link NativeTlsSession.read} and `write` besides byte counts. */
export const WOULD_BLOCK = 0, CLOSED_BY_PEER = -2, BROKEN = -1;

/** Decides on a verified path (DER, leaf first, anchor last): null accepts, else an alert says why. */
export type AcceptPath = (chain: readonly Uint8Array[]) => PathRefusal | null;

export interface PathRefusal {
  readonly text: string;
  readonly revoked: boolean;
}

export type TlsRole = "client" | "server";

/** A socket, which stays the caller's, and the size to which the write buffer in front of it grows for bulk. */
export interface TlsCarrier {
  readonly fd: number;
  readonly writeBuffer: number;
}

/** Initial size of the write buffer in bytes, OpenSSL's default. */
const FIRST_WRITE_BUFFER = 4096;
/** A write up to this length fits into it as one record. */
const SMALL_WRITE = FIRST_WRITE_BUFFER - 64;

export class NativeTlsSession {
  readonly #tls: NativeTls;
  readonly #ssl: Deno.PointerValue;
  readonly #readBio: Deno.PointerValue;
  readonly #writeBio: Deno.PointerValue;
  readonly #accept: AcceptPath;
  /** Of all contexts of this isolate. */
  readonly #contextNumber: number;
  readonly #role: TlsRole;
  readonly #onSocket: boolean;
  /** Size to which the write buffer grows with the first large write; 0: it has grown already, or cannot grow. */
  #growTo: number;
  /** The write buffer may hold something. */
  #unflushed = false;
  /** Null until the first message after the handshake: most peers send none. */
  #messages: MessageBudget | null = null;
  /** ms: the time of the last {@link read}. */
  #readAt = 0;
  #state: "usable" | "handshaking" | "free when back" | "freed" = "usable";
  /** The verified path, once the handshake is done. */
  peerChain: readonly Uint8Array[] = [];
  /** Why the session is broken; the first reason counts. */
  failure: TlsFailure | null = null;

  /** `carrier` null: in memory. */
  constructor(
    tls: NativeTls,
    context: Deno.PointerValue,
    contextNumber: number,
    carrier: TlsCarrier | null,
    role: TlsRole,
    accept: AcceptPath,
  ) {
    const { ssl, crypto } = tls.library;
    this.#tls = tls;
    this.#accept = accept;
    this.#contextNumber = contextNumber;
    this.#role = role;
    this.#onSocket = carrier !== null;
    this.#growTo = carrier === null ? 0 : carrier.writeBuffer;
    this.#ssl = ssl.SSL_new(context);
    if (this.#ssl === null) throw new TlsSettingsError(`cannot make a TLS session: ${tls.takeErrorText()}`);
    this.#readBio = carrier === null ? crypto.BIO_new(crypto.BIO_s_mem()) : crypto.BIO_new_socket(carrier.fd, 0);
    this.#writeBio = carrier === null ? crypto.BIO_new(crypto.BIO_s_mem()) : buffered(tls, carrier);
    ssl.SSL_set_bio(this.#ssl, this.#readBio, this.#writeBio);
    if (role === "server") ssl.SSL_set_accept_state(this.#ssl);
    else ssl.SSL_set_connect_state(this.#ssl);
  }

  /** In memory: bytes of the peer, to be read by the next call. */
  feed(bytes: Uint8Array): void {
    this.#tls.library.crypto.BIO_write(this.#readBio, bytes as Uint8Array<ArrayBuffer>, bytes.length);
  }

  /** In memory: nothing will be fed any more. */
  feedEnd(): void {
    this.#tls.library.crypto.BIO_ctrl(this.#readBio, BIO_SET_MEMORY_END, 0, null);
  }

  /** In memory: moves bytes for the peer into `into`; 0 when there are none. */
  drain(into: Uint8Array): number {
    const { crypto } = this.#tls.library;
    return Math.max(0, crypto.BIO_read(this.#writeBio, into as Uint8Array<ArrayBuffer>, into.length));
  }

  /** In memory: how many bytes {@link drain} would give. */
  get undrained(): number {
    return this.#tls.library.crypto.BIO_ctrl(this.#writeBio, BIO_PENDING, 0, null);
  }

  /** Goes on as far as the socket allows. Look whether the session was freed meanwhile: the verifier may do that. */
  handshake(): "done" | "again" | "failed" {
    this.#tls.library.crypto.ERR_clear_error();
    this.#tls.working = this;
    this.#state = "handshaking";
    let result = 0, again = false, freed = false;
    try {
      result = this.#tls.library.ssl.SSL_do_handshake(this.#ssl);
      again = result !== 1 && this.#wantsMore(result);
      this.flush();
    } finally {
      this.#tls.working = null;
      freed = (this.#state as string) === "free when back";
      this.#state = "usable";
      if (freed) this.free();
    }
    if (!freed && result === 1) this.#tls.watchMessages(this.#ssl);
    if (result === 1) return "done";
    return again ? "again" : "failed";
  }

  /**
   * Returns the bytes read (at most one record), or one of WOULD_BLOCK, CLOSED_BY_PEER (close_notify), BROKEN. `now`:
   * ms of a monotonic clock.
   */
  read(into: Uint8Array, now: number): number {
    this.#tls.working = this;
    this.#readAt = now;
    const result = this.#tls.library.ssl.SSL_read(this.#ssl, into as Uint8Array<ArrayBuffer>, into.length);
    const systemError = result > 0 ? 0 : errno();
    this.#tls.working = null;
    if (result > 0) return result;
    if (this.failure !== null) return BROKEN;
    if (this.#tls.library.ssl.SSL_get_error(this.#ssl, result) === SSL_ERROR_ZERO_RETURN) return CLOSED_BY_PEER;
    return this.#wantsMore(result, systemError) ? WOULD_BLOCK : BROKEN;
  }

  /** All of `bytes` into the write buffer and the socket, or WOULD_BLOCK: then offer at least the same again. */
  write(bytes: Uint8Array): number {
    if (this.#growTo > 0 && bytes.length > SMALL_WRITE && !this.#unflushed) this.#growWriteBuffer();
    const result = this.#tls.library.ssl.SSL_write(this.#ssl, bytes as Uint8Array<ArrayBuffer>, bytes.length);
    if (result > 0) return result;
    this.#unflushed = true;
    return this.#wantsMore(result) ? WOULD_BLOCK : BROKEN;
  }

  /** Pushes buffered records to the socket. False when the socket is full, or broken: then `failure` is set. */
  flush(): boolean {
    this.#unflushed = this.#tls.library.crypto.BIO_ctrl(this.#writeBio, BIO_FLUSH, 0, null) <= 0;
    if (!this.#unflushed) return true;
    // Taken now: the kernel tells an error once, and the next read would see a plain end.
    const systemError = errno();
    if (systemError !== EAGAIN) this.failure ??= { kind: "system", errno: systemError };
    return false;
  }

  /** Called only while the buffer is empty. Most connections never send bulk, so it starts small. */
  #growWriteBuffer(): void {
    this.#tls.library.crypto.BIO_ctrl(this.#writeBio, BIO_SET_BUFFER_SIZE, this.#growTo, WRITE_SIDE);
    this.#growTo = 0;
  }

  /** OpenSSL holds bytes that it has read from the socket but not handed out. */
  hasPending(): boolean {
    return this.#tls.library.ssl.SSL_has_pending(this.#ssl) !== 0;
  }

  /** Bytes read from the socket so far, modulo 2^32. */
  bytesFromSocket(): number {
    return this.#tls.library.crypto.BIO_number_read(this.#readBio);
  }

  /** The protocol agreed on by ALPN; empty where the server knows no ALPN. */
  alpn(): string {
    this.#tls.library.ssl.SSL_get0_alpn_selected(this.#ssl, PROTOCOL_ADDRESS_BYTES, PROTOCOL_LENGTH.bytes);
    const length = PROTOCOL_LENGTH.value;
    if (length === 0) return "";
    Deno.UnsafePointerView.copyInto(Deno.UnsafePointer.create(PROTOCOL_ADDRESS[0]!)!, PROTOCOL.subarray(0, length));
    return length === 2 && PROTOCOL[0] === H && PROTOCOL[1] === TWO
      ? "h2"
      : DECODER.decode(PROTOCOL.subarray(0, length));
  }

  negotiated(): { version: string; cipher: string; group: string } {
    const { ssl } = this.#tls.library;
    const group = Number(ssl.SSL_ctrl(this.#ssl, GET_NEGOTIATED_GROUP, 0n, null));
    return {
      version: this.#tls.constantText(ssl.SSL_get_version(this.#ssl)),
      cipher: this.#tls.constantText(ssl.SSL_CIPHER_get_name(ssl.SSL_get_current_cipher(this.#ssl))),
      group: this.#tls.groupName(this.#ssl, group),
    };
  }

  /** Queues close_notify and pushes it as far as the socket takes it. Returns as {@link flush}. */
  sayGoodbye(): boolean {
    this.#tls.library.ssl.SSL_shutdown(this.#ssl);
    const flushed = this.flush();
    this.#tls.library.crypto.ERR_clear_error();
    return flushed;
  }

  /** Idempotent. From inside the verifier: as soon as OpenSSL has let go of the session. */
  free(): void {
    switch (this.#state) {
      case "usable":
        this.#state = "freed";
        return this.#tls.library.ssl.SSL_free(this.#ssl);
      case "handshaking":
        this.#state = "free when back";
        return;
      case "free when back":
      case "freed":
        return;
      default:
        this.#state satisfies never;
    }
  }

  /** Called by OpenSSL through {@link NativeTls} with its X509_STORE_CTX. Nothing may be thrown through OpenSSL. */
  verify(store: Deno.PointerValue): number {
    const { crypto } = this.#tls.library;
    const chain = this.#verifiedPath(store);
    if (chain === null) return 0;
    const refusal = this.#ask(chain);
    if (refusal === null) {
      this.peerChain = chain;
      return 1;
    }
    this.failure = { kind: "refused", text: refusal.text };
    crypto.X509_STORE_CTX_set_error(store, refusal.revoked ? CERTIFICATE_REVOKED : CERTIFICATE_REJECTED);
    return 0;
  }

  /** What is wrong with the peer's first message, when OpenSSL would only say that a callback failed. */
  refuse(text: string): void {
    this.failure ??= { kind: "protocol", text };
  }

  /**
   * Called by OpenSSL for each handshake message after the handshake. One `SSL_read` goes on for as long as such
   * messages come, key updates say, and the whole loop stands still meanwhile: so there is an end to it.
   */
  countMessage(): void {
    const bytes = this.bytesFromSocket();
    this.#messages ??= new MessageBudget(this.#readAt, bytes);
    if (this.#messages.take(this.#readAt, bytes)) return;
    this.failure ??= { kind: "flood" };
    // Makes OpenSSL throw away what comes and return.
    this.#tls.library.ssl.SSL_set_shutdown(this.#ssl, RECEIVED_SHUTDOWN);
  }

  /** One of our callbacks threw. Its decision is missing, so the session fails. */
  breakOff(text: string): void {
    this.failure ??= { kind: "internal", text };
  }

  /** Leaf first, anchor last. Null where there is none: then `failure` says why. */
  #verifiedPath(store: Deno.PointerValue): readonly Uint8Array[] | null {
    const { crypto } = this.#tls.library;
    const key = this.#pathKey(store);
    const now = performance.now();
    const known = key === null ? null : this.#tls.paths.get(key, now);
    if (known !== null) return known;
    if (crypto.X509_verify_cert(store) !== 1) {
      const text = readCString(crypto.X509_verify_cert_error_string(BigInt(crypto.X509_STORE_CTX_get_error(store))));
      this.failure = { kind: "certificate", text, leaf: this.#der(crypto.X509_STORE_CTX_get0_cert(store)) };
      return null;
    }
    const path = this.#derChain(crypto.X509_STORE_CTX_get0_chain(store));
    if (key !== null) this.#tls.paths.set(key, path, now);
    return path;
  }

  /** All that the answer depends on, but for the time; null where OpenSSL cannot say. */
  #pathKey(store: Deno.PointerValue): string | null {
    const { crypto } = this.#tls.library;
    const presented = crypto.X509_STORE_CTX_get0_untrusted(store);
    const certificates = [crypto.X509_STORE_CTX_get0_cert(store)];
    const count = presented === null ? 0 : crypto.OPENSSL_sk_num(presented);
    for (let i = 0; i < count; i++) {
      const certificate = crypto.OPENSSL_sk_value(presented, i);
      // The leaf is there once more.
      if (!Deno.UnsafePointer.equals(certificate, certificates[0]!)) certificates.push(certificate);
    }
    const digests = certificates.map((certificate) => this.#digest(certificate));
    return digests.includes("") ? null : pathKey(this.#contextNumber, this.#role, digests);
  }

  /** SHA-256 of a certificate's DER, as hexadecimal digits; empty where it has none. */
  #digest(certificate: Deno.PointerValue): string {
    const { library: { crypto }, sha256 } = this.#tls;
    return crypto.X509_digest(certificate, sha256, DIGEST, null) === 1 ? DIGEST.toHex() : "";
  }

  #ask(chain: readonly Uint8Array[]): PathRefusal | null {
    try {
      return this.#accept(chain);
    } catch (error) {
      return { text: `the verifier failed: ${error instanceof Error ? error.message : error}`, revoked: false };
    }
  }

  #derChain(stack: Deno.PointerValue): Uint8Array[] {
    const { crypto } = this.#tls.library;
    const length = stack === null ? 0 : Math.max(0, crypto.OPENSSL_sk_num(stack));
    return Array.from({ length }, (_, index) => this.#der(crypto.OPENSSL_sk_value(stack, index)));
  }

  #der(certificate: Deno.PointerValue): Uint8Array {
    const { crypto } = this.#tls.library;
    const der = new Uint8Array(Math.max(0, crypto.i2d_X509(certificate, null)));
    crypto.i2d_X509(certificate, pointerTo(der));
    return der;
  }

  /** Looks at why a call came back empty-handed; sets `failure` and returns false when the session is broken. */
  #wantsMore(result: number, lastError = errno()): boolean {
    const systemError = this.#onSocket ? lastError : 0;
    const reason = this.#tls.library.ssl.SSL_get_error(this.#ssl, result);
    if (reason === SSL_ERROR_WANT_READ || reason === SSL_ERROR_WANT_WRITE) return true;
    const failure = this.#tls.takeFailure();
    if (failure !== null) this.failure ??= failure;
    else if (reason === SSL_ERROR_SYSCALL && systemError === EAGAIN) return true;
    else this.failure ??= systemError === 0 ? { kind: "eof" } : { kind: "system", errno: systemError };
    return false;
  }
}

function buffered({ library: { crypto } }: NativeTls, { fd }: TlsCarrier): Deno.PointerValue {
  return crypto.BIO_push(crypto.BIO_new(crypto.BIO_f_buffer()), crypto.BIO_new_socket(fd, 0));
}
