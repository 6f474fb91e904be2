/**
 * One TLS session. On a socket OpenSSL reads records through its own read-ahead buffer. From the first write of more than one
 * record on it writes through a buffering BIO, so that records leave in whole offload units
 * (`docs/spec/dataplane-speed.md` 2). In memory the caller moves the bytes.
 */
import { errno, intCell } from "./libc.ts";
import { EAGAIN } from "./errno.ts";
import { MessageBudget } from "./message_budget.ts";
import { RecordCipher, type RecordCiphers } from "./record_cipher.ts";
import type { SessionCallbacks } from "./tls_callbacks.ts";
import { takeErrorText, takeFailure } from "./tls_error_queue.ts";
import type { TlsFailure } from "./tls_failure.ts";
import { GET_NEGOTIATED_GROUP } from "./tls_numbers.ts";
import { verifiedPath } from "./tls_peer_path.ts";
import { type TlsRole, TlsSettingsError } from "./tls_settings.ts";
import type { TlsThread } from "./tls_thread.ts";
import { readSecretLine, type TrafficSecrets } from "./traffic_secrets.ts";

const BIO_PENDING = 10, BIO_FLUSH = 11, BIO_SET_BUFFER_SIZE = 117, BIO_SET_MEMORY_END = 130;
const SSL_ERROR_WANT_READ = 2, SSL_ERROR_WANT_WRITE = 3, SSL_ERROR_SYSCALL = 5, SSL_ERROR_ZERO_RETURN = 6;
/** `X509_V_ERR_*`: the TLS library sends the alerts bad_certificate and certificate_revoked for them. */
const CERTIFICATE_REJECTED = 28, CERTIFICATE_REVOKED = 23;
const RECEIVED_SHUTDOWN = 2;
/** Used within one call each. */
const WRITE_SIDE = intCell(1).bytes;
const PROTOCOL_ADDRESS = new BigUint64Array(1), PROTOCOL_ADDRESS_BYTES = new Uint8Array(PROTOCOL_ADDRESS.buffer);
const PROTOCOL_LENGTH = intCell();
const PROTOCOL = new Uint8Array(255);
const DECODER = new TextDecoder();
const LETTER_H = 0x68, DIGIT_2 = 0x32;

/**
 * Results of {@link NativeTlsSession.read} and `write` besides byte counts: try again after an event of the socket; the
 * peer has sent close_notify; the session has failed (`failure` says why).
 */
export const WOULD_BLOCK = 0, CLOSED_BY_PEER = -2, BROKEN = -1;

/** Decides on a verified path (DER, leaf first, anchor last). Null accepts the peer; a refusal is sent as an alert. */
export type AcceptPath = (chain: readonly Uint8Array[]) => PathRefusal | null;

/** Why the application refuses a peer with a valid path. */
export interface PathRefusal {
  /** For the log. */
  readonly text: string;
  /** Chooses the alert: certificate_revoked or bad_certificate. */
  readonly revoked: boolean;
}

/** The socket of a session, which the caller owns, and the size of its write buffer in bytes, once it has one. */
interface TlsCarrier {
  readonly fd: number;
  readonly writeBuffer: number;
}

/** The most data of one record, in bytes (RFC 8446 §5.1). */
const RECORD = 16384;

/**
 * What OpenSSL holds because the socket was full. Record: the end of a record, and the write must be repeated before
 * anything else is written. Close_notify: the alert.
 */
type Refused = "nothing" | "record" | "close_notify";

/** An `SSL`. Made by a `NativeTlsContext`; whoever has it calls {@link free}. */
export class NativeTlsSession implements SessionCallbacks {
  readonly #thread: TlsThread;
  readonly #ssl: Deno.PointerValue;
  /** Of the socket or the memory. */
  readonly #readBio: Deno.PointerValue;
  readonly #writeBio: Deno.PointerValue;
  /** Null once the handshake is done. */
  #accept: AcceptPath | null;
  /** Between their creation, near the end of the handshake, and {@link takeRecordCiphers}. */
  #secrets: TrafficSecrets | null = null;
  /** Unique among the contexts of this thread. */
  readonly #contextNumber: number;
  readonly #role: TlsRole;
  /** Null: a session in memory. */
  readonly #carrier: TlsCarrier | null;
  /** The buffering BIO, with room for 4 KiB in either direction at least; null until there is a large write. */
  #writeBuffer: Deno.PointerValue = null;
  #refused: Refused = "nothing";
  /** Null until the first message after the handshake: most peers send none. */
  #messages: MessageBudget | null = null;
  /** ms: the time of the last {@link read}. */
  #readAt = 0;
  /** "free after call": {@link free} was called by a callback, so the TLS library still uses the session. */
  #state: "usable" | "handshaking" | "free after call" | "freed" = "usable";
  /** The verified path, once the handshake is done. */
  peerChain: readonly Uint8Array[] = [];
  /** Why the session has failed: the first reason that was found. */
  failure: TlsFailure | null = null;

  /** `carrier` null: a session in memory. Throws {@link TlsSettingsError}. */
  constructor(
    thread: TlsThread,
    context: Deno.PointerValue,
    contextNumber: number,
    carrier: TlsCarrier | null,
    role: TlsRole,
    accept: AcceptPath,
  ) {
    const { ssl, crypto } = thread.library;
    this.#thread = thread;
    this.#accept = accept;
    this.#contextNumber = contextNumber;
    this.#role = role;
    this.#carrier = carrier;
    this.#ssl = ssl.SSL_new(context);
    if (this.#ssl === null) throw new TlsSettingsError(`cannot make a TLS session: ${takeErrorText(thread.library)}`);
    this.#readBio = carrier === null ? crypto.BIO_new(crypto.BIO_s_mem()) : crypto.BIO_new_socket(carrier.fd, 0);
    this.#writeBio = carrier === null ? crypto.BIO_new(crypto.BIO_s_mem()) : this.#readBio;
    ssl.SSL_set_bio(this.#ssl, this.#readBio, this.#writeBio);
    if (role === "server") ssl.SSL_set_accept_state(this.#ssl);
    else ssl.SSL_set_connect_state(this.#ssl);
  }

  /** In memory: adds bytes of the peer, for the next call to read. */
  feed(bytes: Uint8Array): void {
    this.#thread.library.crypto.BIO_write(this.#readBio, bytes as Uint8Array<ArrayBuffer>, bytes.length);
  }

  /** In memory: the peer sends no more bytes. */
  feedEnd(): void {
    this.#thread.library.crypto.BIO_ctrl(this.#readBio, BIO_SET_MEMORY_END, 0, null);
  }

  /** In memory: removes and returns the bytes of the peer that were not used. */
  takeUnread(): Uint8Array {
    const { crypto } = this.#thread.library;
    const bytes = new Uint8Array(Math.max(0, crypto.BIO_ctrl(this.#readBio, BIO_PENDING, 0, null)));
    if (bytes.length > 0) crypto.BIO_read(this.#readBio, bytes, bytes.length);
    return bytes;
  }

  /** In memory: moves bytes for the peer into `into`. Returns how many; 0 when there are none. */
  drain(into: Uint8Array): number {
    const { crypto } = this.#thread.library;
    return Math.max(0, crypto.BIO_read(this.#writeBio, into as Uint8Array<ArrayBuffer>, into.length));
  }

  /**
   * Continues the handshake as far as the socket allows. "again": call it again when there are more bytes; "failed":
   * `failure` says why. The `AcceptPath` may call {@link free} meanwhile, and the session must not be used after that.
   */
  handshake(): "done" | "again" | "failed" {
    const { library, callbacks } = this.#thread;
    library.crypto.ERR_clear_error();
    callbacks.session = this;
    this.#state = "handshaking";
    let result = 0, again = false, freed = false;
    try {
      result = library.ssl.SSL_do_handshake(this.#ssl);
      again = result !== 1 && this.#canContinue(result);
    } finally {
      callbacks.session = null;
      freed = (this.#state as string) === "free after call";
      this.#state = "usable";
      if (freed) this.free();
    }
    if (result !== 1) return again ? "again" : "failed";
    // It refers to everything that the handshake needed.
    this.#accept = null;
    if (!freed) callbacks.watchMessages(this.#ssl);
    return "done";
  }

  /**
   * Reads at most one record. Returns how many bytes, or {@link WOULD_BLOCK}, {@link CLOSED_BY_PEER} (close_notify) or
   * {@link BROKEN}. `now`: ms of a monotonic clock.
   */
  read(into: Uint8Array, now: number): number {
    const { library, callbacks } = this.#thread;
    callbacks.session = this;
    this.#readAt = now;
    const result = library.ssl.SSL_read(this.#ssl, into as Uint8Array<ArrayBuffer>, into.length);
    const systemError = result > 0 ? 0 : errno();
    callbacks.session = null;
    if (result > 0) return result;
    if (this.failure !== null) return BROKEN;
    if (library.ssl.SSL_get_error(this.#ssl, result) === SSL_ERROR_ZERO_RETURN) return CLOSED_BY_PEER;
    return this.#canContinue(result, systemError) ? WOULD_BLOCK : BROKEN;
  }

  /**
   * Writes all of `bytes` to the write buffer and the socket. Returns their number, {@link BROKEN}, or
   * {@link WOULD_BLOCK}: the next call must offer the same bytes, more may follow them.
   */
  write(bytes: Uint8Array): number {
    if (bytes.length > RECORD && this.#writeBuffer === null && this.#refused === "nothing") this.#addWriteBuffer();
    const result = this.#thread.library.ssl.SSL_write(this.#ssl, bytes as Uint8Array<ArrayBuffer>, bytes.length);
    if (result > 0) {
      this.#refused = "nothing";
      return result;
    }
    if (!this.#canContinue(result)) return BROKEN;
    this.#refused = "record";
    return WOULD_BLOCK;
  }

  /**
   * Moves what is left of earlier calls to the socket, but for a write that must be repeated. False: the socket is
   * full, or the session has failed (`failure` is set).
   */
  flush(): boolean {
    if (this.#refused === "close_notify" && !this.#shutDown()) return false;
    if (this.#writeBuffer === null) return true;
    if (this.#thread.library.crypto.BIO_ctrl(this.#writeBuffer, BIO_FLUSH, 0, null) > 0) return true;
    // Recorded now: the kernel reports an error once, and the next read would only find an end.
    const systemError = errno();
    if (systemError !== EAGAIN) this.failure ??= { kind: "system", errno: systemError };
    return false;
  }

  /** Most connections never send bulk, so they get no buffer. It may replace the socket between two records only. */
  #addWriteBuffer(): void {
    if (this.#carrier === null) return;
    const { ssl, crypto } = this.#thread.library;
    const buffer = crypto.BIO_new(crypto.BIO_f_buffer());
    crypto.BIO_ctrl(buffer, BIO_SET_BUFFER_SIZE, this.#carrier.writeBuffer, WRITE_SIDE);
    // Frees the reference to the BIO of the socket that was used for writing.
    ssl.SSL_set0_wbio(this.#ssl, crypto.BIO_push(buffer, crypto.BIO_new_socket(this.#carrier.fd, 0)));
    this.#writeBuffer = buffer;
  }

  /** OpenSSL holds bytes that it has read from the socket and {@link read} has not returned yet. */
  hasPending(): boolean {
    return this.#thread.library.ssl.SSL_has_pending(this.#ssl) !== 0;
  }

  /** Bytes read from the socket so far, modulo 2^32. */
  bytesFromSocket(): number {
    return this.#thread.library.crypto.BIO_number_read(this.#readBio);
  }

  /** The protocol that was agreed on by ALPN; empty when the peer has not agreed to any. */
  alpn(): string {
    this.#thread.library.ssl.SSL_get0_alpn_selected(this.#ssl, PROTOCOL_ADDRESS_BYTES, PROTOCOL_LENGTH.bytes);
    const length = PROTOCOL_LENGTH.value;
    if (length === 0) return "";
    Deno.UnsafePointerView.copyInto(Deno.UnsafePointer.create(PROTOCOL_ADDRESS[0]!)!, PROTOCOL.subarray(0, length));
    return length === 2 && PROTOCOL[0] === LETTER_H && PROTOCOL[1] === DIGIT_2
      ? "h2"
      : DECODER.decode(PROTOCOL.subarray(0, length));
  }

  /** What the handshake has agreed on, as `TlsPeer` in `net/tls_context.ts` describes it. */
  negotiated(): { version: string; cipher: string; group: string } {
    const { ssl } = this.#thread.library;
    const group = Number(ssl.SSL_ctrl(this.#ssl, GET_NEGOTIATED_GROUP, 0n, null));
    return {
      version: this.#thread.constantText(ssl.SSL_get_version(this.#ssl)),
      cipher: this.#thread.constantText(ssl.SSL_CIPHER_get_name(ssl.SSL_get_current_cipher(this.#ssl))),
      group: this.#thread.groupName(this.#ssl, group),
    };
  }

  /** Sends close_notify as far as the socket takes it. Returns as {@link flush}. */
  sendCloseNotify(): boolean {
    // Behind the end of a record that is not repeated any more, the alert could not be read.
    if (this.#refused === "nothing") this.#shutDown();
    const flushed = this.#refused !== "close_notify" && this.flush();
    this.#thread.library.crypto.ERR_clear_error();
    return flushed;
  }

  /** False: close_notify was not written, and `failure` is set unless the socket is full. */
  #shutDown(): boolean {
    const result = this.#thread.library.ssl.SSL_shutdown(this.#ssl);
    const isWritten = result >= 0;
    const mayRepeat = !isWritten && this.#canContinue(result);
    this.#refused = mayRepeat ? "close_notify" : "nothing";
    return isWritten;
  }

  get isFreed(): boolean {
    return this.#state === "freed";
  }

  /** Frees the session. From inside of a callback: as soon as the TLS library has returned. Idempotent. */
  free(): void {
    switch (this.#state) {
      case "usable":
        this.#state = "freed";
        this.eraseSecrets();
        return this.#thread.library.ssl.SSL_free(this.#ssl);
      case "handshaking":
        this.#state = "free after call";
        return;
      case "free after call":
      case "freed":
        return;
      default:
        this.#state satisfies never;
    }
  }

  noteSecret(line: Deno.PointerValue): void {
    this.#secrets ??= { client: null, server: null };
    readSecretLine(line, this.#secrets);
  }

  /**
   * Call it once, directly after the handshake. With the ciphers the caller protects all records from now on: the session
   * must not be used for anything but {@link takeUnread} and {@link free}. `cipher`: that of {@link negotiated}. Null: the
   * records stay with this session, because it is one of TLS 1.2 or has bytes behind the handshake already.
   */
  takeRecordCiphers(cipher: string): RecordCiphers | null {
    const client = this.#secrets?.client ?? null, server = this.#secrets?.server ?? null;
    const suite = client === null || server === null || this.hasPending() ? null : this.#thread.recordSuite(cipher);
    if (suite === null) {
      this.eraseSecrets();
      return null;
    }
    this.#secrets = null;
    const [ours, theirs] = this.#role === "client" ? [client!, server!] : [server!, client!];
    return { send: new RecordCipher(suite, ours, "send"), receive: new RecordCipher(suite, theirs, "receive") };
  }

  /** Call it after the handshake where {@link takeRecordCiphers} is not used. */
  eraseSecrets(): void {
    this.#secrets?.client?.fill(0);
    this.#secrets?.server?.fill(0);
    this.#secrets = null;
  }

  verify(store: Deno.PointerValue): number {
    const found = verifiedPath(this.#thread, this.#contextNumber, this.#role, store);
    if ("failure" in found) {
      this.failure = found.failure;
      return 0;
    }
    const refusal = this.#refusalOf(found.path);
    if (refusal === null) {
      this.peerChain = found.path;
      return 1;
    }
    this.failure = { kind: "refused", text: refusal.text };
    const error = refusal.revoked ? CERTIFICATE_REVOKED : CERTIFICATE_REJECTED;
    this.#thread.library.crypto.X509_STORE_CTX_set_error(store, error);
    return 0;
  }

  /** The TLS library itself would only report that a callback failed. */
  refuseHello(text: string): void {
    this.failure ??= { kind: "protocol", text };
  }

  /**
   * One `SSL_read` continues for as long as handshake messages arrive, such as key updates, and the event loop stands
   * still meanwhile. So their number is limited.
   */
  countMessage(): void {
    const bytes = this.bytesFromSocket();
    this.#messages ??= new MessageBudget(this.#readAt, bytes);
    if (this.#messages.take(this.#readAt, bytes)) return;
    this.failure ??= { kind: "flood" };
    // Makes the TLS library discard further input and return.
    this.#thread.library.ssl.SSL_set_shutdown(this.#ssl, RECEIVED_SHUTDOWN);
  }

  failInCallback(text: string): void {
    this.failure ??= { kind: "internal", text };
  }

  #refusalOf(path: readonly Uint8Array[]): PathRefusal | null {
    try {
      return this.#accept!(path);
    } catch (error) {
      return { text: `the verifier failed: ${error instanceof Error ? error.message : error}`, revoked: false };
    }
  }

  /** Finds out why a call returned no bytes. False: the session has failed, and `failure` is set. */
  #canContinue(result: number, lastError = errno()): boolean {
    const { library } = this.#thread;
    const systemError = this.#carrier === null ? 0 : lastError;
    const reason = library.ssl.SSL_get_error(this.#ssl, result);
    if (reason === SSL_ERROR_WANT_READ || reason === SSL_ERROR_WANT_WRITE) return true;
    const failure = takeFailure(library);
    if (failure !== null) this.failure ??= failure;
    else if (reason === SSL_ERROR_SYSCALL && systemError === EAGAIN) return true;
    else this.failure ??= systemError === 0 ? { kind: "eof" } : { kind: "system", errno: systemError };
    return false;
  }
}
