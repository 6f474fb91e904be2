/**
 * OpenSSL contexts and sessions: every pointer has one owner here, with a closed state.
 *
 * A session works directly on a socket: OpenSSL reads it through its own read-ahead buffer and writes it through a
 * buffering BIO, so that records leave in whole offload units (`docs/spec/dataplane-speed.md` 2).
 */
import { addressOf, cString, errno, intCell } from "./libc.ts";
import { EAGAIN, errnoText } from "./errno.ts";
import { readCString, type TlsLibrary } from "./openssl_library.ts";

const CTRL_MODE = 33, CTRL_READ_AHEAD = 41, CTRL_SESS_CACHE_MODE = 44, CTRL_CHAIN_CERT = 89, CTRL_SET_GROUPS_LIST = 92;
const CTRL_MIN_PROTO = 123, CTRL_MAX_PROTO = 124, CTRL_NEGOTIATED_GROUP = 134;
const MODE_ACCEPT_MOVING_WRITE_BUFFER = 2n, MODE_RELEASE_BUFFERS = 16n;
const TLS1_3 = 0x0304n;
const VERIFY_PEER_OR_FAIL = 3;
const ERROR_APPLICATION_VERIFICATION = 50;
const BIO_FLUSH = 11, BIO_SET_BUFFER_SIZE = 117;
const SSL_ERROR_WANT_READ = 2, SSL_ERROR_WANT_WRITE = 3, SSL_ERROR_SYSCALL = 5, SSL_ERROR_ZERO_RETURN = 6;
const ALPN_H2 = new Uint8Array([2, 0x68, 0x32]);
const READ_AHEAD = 65536n;
const WRITE_SIDE = intCell(1).bytes;

/** Returned by {@link NativeTlsSession.read} besides byte counts. */
export const WOULD_BLOCK = 0, CLOSED_BY_PEER = -2, BROKEN = -1;

export interface NativeTlsSettings {
  readonly chain: readonly Uint8Array[];
  readonly key: Uint8Array;
  readonly anchors: readonly Uint8Array[];
  readonly ciphers: string;
  readonly groups?: string;
}

/** Decides on a verified path (DER, leaf first, anchor last): null accepts, text refuses with an alert. */
export type AcceptPath = (chain: Uint8Array[]) => string | null;

export class NativeTls {
  readonly #verify: Deno.UnsafeCallback<{ parameters: ["pointer", "pointer"]; result: "i32" }>;
  readonly #selectAlpn: Deno.UnsafeCallback<
    { parameters: ["pointer", "pointer", "pointer", "pointer", "u32", "pointer"]; result: "i32" }
  >;
  // OpenSSL calls back synchronously from SSL_do_handshake, so the session at work is known.
  handshaking: NativeTlsSession | null = null;

  constructor(readonly library: TlsLibrary) {
    this.#verify = new Deno.UnsafeCallback(
      { parameters: ["pointer", "pointer"], result: "i32" },
      (store) => this.handshaking?.verify(store) ?? 0,
    );
    this.#selectAlpn = new Deno.UnsafeCallback(
      { parameters: ["pointer", "pointer", "pointer", "pointer", "u32", "pointer"], result: "i32" },
      (_ssl, out, outLength, offered, length) =>
        library.ssl.SSL_select_next_proto(out, outLength, ALPN_H2, ALPN_H2.length, offered, length) === 1 ? 0 : 2,
    );
  }

  newContext(settings: NativeTlsSettings): NativeTlsContext {
    return new NativeTlsContext(this, settings, this.#verify.pointer, this.#selectAlpn.pointer);
  }

  close(): void {
    this.#verify.close();
    this.#selectAlpn.close();
  }

  /** Empties this thread's error queue and returns the newest reason, e.g. `tlsv13 alert certificate required`. */
  takeError(): string {
    let reason = "";
    for (;;) {
      const code = this.library.crypto.ERR_get_error();
      if (code === 0n) return reason;
      reason = readCString(this.library.crypto.ERR_reason_error_string(code)) || `error ${code}`;
    }
  }
}

/** A certificate or key that OpenSSL would not take. */
export class TlsSettingsError extends Error {
  override readonly name = "TlsSettingsError";
}

export class NativeTlsContext {
  readonly #tls: NativeTls;
  #context: Deno.PointerValue;

  constructor(tls: NativeTls, settings: NativeTlsSettings, verify: Deno.PointerValue, selectAlpn: Deno.PointerValue) {
    const { ssl } = tls.library;
    this.#tls = tls;
    this.#context = ssl.SSL_CTX_new(ssl.TLS_method());
    if (this.#context === null) throw new TlsSettingsError(`cannot make a TLS context: ${tls.takeError()}`);
    try {
      this.#setProtocol(settings, verify, selectAlpn);
      this.#setCertificate(settings);
      this.#setAnchors(settings.anchors);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  newSession(fd: number, role: "client" | "server", writeBuffer: number, accept: AcceptPath): NativeTlsSession {
    if (this.#context === null) throw new TlsSettingsError("the TLS context is closed");
    return new NativeTlsSession(this.#tls, this.#context, fd, role, writeBuffer, accept);
  }

  /** Sessions hold a reference of their own. */
  close(): void {
    if (this.#context === null) return;
    this.#tls.library.ssl.SSL_CTX_free(this.#context);
    this.#context = null;
  }

  #setProtocol(settings: NativeTlsSettings, verify: Deno.PointerValue, selectAlpn: Deno.PointerValue): void {
    const { ssl } = this.#tls.library, context = this.#context;
    ssl.SSL_CTX_ctrl(context, CTRL_MIN_PROTO, TLS1_3, null);
    ssl.SSL_CTX_ctrl(context, CTRL_MAX_PROTO, TLS1_3, null);
    ssl.SSL_CTX_ctrl(context, CTRL_MODE, MODE_ACCEPT_MOVING_WRITE_BUFFER | MODE_RELEASE_BUFFERS, null);
    ssl.SSL_CTX_ctrl(context, CTRL_READ_AHEAD, 1n, null);
    ssl.SSL_CTX_set_default_read_buffer_len(context, READ_AHEAD);
    ssl.SSL_CTX_ctrl(context, CTRL_SESS_CACHE_MODE, 0n, null);
    ssl.SSL_CTX_set_num_tickets(context, 0n);
    this.#must(
      ssl.SSL_CTX_set_ciphersuites(context, cString(settings.ciphers)) === 1,
      `cipher list ${settings.ciphers}`,
    );
    if (settings.groups !== undefined) {
      const list = cString(settings.groups);
      const done = ssl.SSL_CTX_ctrl(context, CTRL_SET_GROUPS_LIST, 0n, Deno.UnsafePointer.of(list));
      this.#must(done === 1n, `key exchange groups ${settings.groups} (X25519MLKEM768 needs OpenSSL 3.5)`);
    }
    this.#must(ssl.SSL_CTX_set_alpn_protos(context, ALPN_H2, ALPN_H2.length) === 0, "ALPN h2");
    ssl.SSL_CTX_set_verify(context, VERIFY_PEER_OR_FAIL, null);
    ssl.SSL_CTX_set_cert_verify_callback(context, verify, null);
    ssl.SSL_CTX_set_alpn_select_cb(context, selectAlpn, null);
  }

  #setCertificate(settings: NativeTlsSettings): void {
    const { ssl, crypto } = this.#tls.library, context = this.#context;
    settings.chain.forEach((der, index) => {
      const certificate = this.#certificate(der, index === 0 ? "the certificate" : `intermediate ${index}`);
      const taken = index === 0
        ? ssl.SSL_CTX_use_certificate(context, certificate) === 1
        : ssl.SSL_CTX_ctrl(context, CTRL_CHAIN_CERT, 1n, certificate) === 1n;
      crypto.X509_free(certificate);
      this.#must(taken, index === 0 ? "the certificate" : `intermediate ${index}`);
    });
    const key = crypto.d2i_AutoPrivateKey(null, pointerTo(settings.key), settings.key.length);
    this.#must(key !== null, "the private key");
    const taken = ssl.SSL_CTX_use_PrivateKey(context, key) === 1;
    crypto.EVP_PKEY_free(key);
    this.#must(
      taken && ssl.SSL_CTX_check_private_key(context) === 1,
      "the private key: it does not fit the certificate",
    );
  }

  #setAnchors(anchors: readonly Uint8Array[]): void {
    const { ssl, crypto } = this.#tls.library;
    const store = ssl.SSL_CTX_get_cert_store(this.#context);
    anchors.forEach((der, index) => {
      const anchor = this.#certificate(der, `trust anchor ${index}`);
      crypto.X509_STORE_add_cert(store, anchor);
      crypto.X509_free(anchor);
    });
    crypto.ERR_clear_error();
  }

  #certificate(der: Uint8Array, what: string): Deno.PointerValue {
    const certificate = this.#tls.library.crypto.d2i_X509(null, pointerTo(der), der.length);
    this.#must(certificate !== null, what);
    return certificate;
  }

  #must(done: boolean, what: string): void {
    if (!done) throw new TlsSettingsError(`OpenSSL refused ${what}: ${this.#tls.takeError() || "no reason given"}`);
  }
}

/** A `const unsigned char **` argument: a cell that holds the address of `bytes`. */
function pointerTo(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new BigUint64Array([BigInt(addressOf(bytes))]).buffer);
}

export class NativeTlsSession {
  readonly #tls: NativeTls;
  readonly #ssl: Deno.PointerValue;
  readonly #readBio: Deno.PointerValue;
  readonly #writeBio: Deno.PointerValue;
  readonly #accept: AcceptPath;
  #freed = false;
  /** The verified path, once the handshake is done. */
  peerChain: readonly Uint8Array[] = [];
  /** Why the last call failed. */
  error = "";

  constructor(
    tls: NativeTls,
    context: Deno.PointerValue,
    fd: number,
    role: "client" | "server",
    writeBuffer: number,
    accept: AcceptPath,
  ) {
    const { ssl, crypto } = tls.library;
    this.#tls = tls;
    this.#accept = accept;
    this.#ssl = ssl.SSL_new(context);
    if (this.#ssl === null) throw new TlsSettingsError(`cannot make a TLS session: ${tls.takeError()}`);
    this.#readBio = crypto.BIO_new_socket(fd, 0);
    const buffer = crypto.BIO_new(crypto.BIO_f_buffer());
    crypto.BIO_ctrl(buffer, BIO_SET_BUFFER_SIZE, writeBuffer, WRITE_SIDE);
    this.#writeBio = crypto.BIO_push(buffer, crypto.BIO_new_socket(fd, 0));
    ssl.SSL_set_bio(this.#ssl, this.#readBio, this.#writeBio);
    if (role === "server") ssl.SSL_set_accept_state(this.#ssl);
    else ssl.SSL_set_connect_state(this.#ssl);
  }

  handshake(): "done" | "again" | "failed" {
    this.#tls.handshaking = this;
    const result = this.#tls.library.ssl.SSL_do_handshake(this.#ssl);
    this.#tls.handshaking = null;
    const again = result !== 1 && this.#wantsMore(result);
    this.flush();
    if (result === 1) return "done";
    return again ? "again" : "failed";
  }

  /** Bytes read (at most one record), or one of WOULD_BLOCK, CLOSED_BY_PEER (close_notify), BROKEN. */
  read(into: Uint8Array): number {
    const result = this.#tls.library.ssl.SSL_read(this.#ssl, into as Uint8Array<ArrayBuffer>, into.length);
    if (result > 0) return result;
    if (this.#tls.library.ssl.SSL_get_error(this.#ssl, result) === SSL_ERROR_ZERO_RETURN) return CLOSED_BY_PEER;
    return this.#wantsMore(result) ? WOULD_BLOCK : BROKEN;
  }

  /** All of `bytes` into the write buffer and the socket, or WOULD_BLOCK: then offer at least the same again. */
  write(bytes: Uint8Array): number {
    const result = this.#tls.library.ssl.SSL_write(this.#ssl, bytes as Uint8Array<ArrayBuffer>, bytes.length);
    if (result > 0) return result;
    return this.#wantsMore(result) ? WOULD_BLOCK : BROKEN;
  }

  /** Pushes buffered records to the socket. False when the socket is full (or broken: the next read will tell). */
  flush(): boolean {
    return this.#tls.library.crypto.BIO_ctrl(this.#writeBio, BIO_FLUSH, 0, null) > 0;
  }

  /** New size of the write buffer. What it holds is lost: only right after a complete {@link flush}. */
  resizeWriteBuffer(size: number): void {
    this.#tls.library.crypto.BIO_ctrl(this.#writeBio, BIO_SET_BUFFER_SIZE, size, WRITE_SIDE);
  }

  /** OpenSSL holds bytes that it has read from the socket but not handed out. */
  hasPending(): boolean {
    return this.#tls.library.ssl.SSL_has_pending(this.#ssl) !== 0;
  }

  /** Bytes read from the socket so far, modulo 2^32. */
  bytesFromSocket(): number {
    return this.#tls.library.crypto.BIO_number_read(this.#readBio);
  }

  /** Protocol chosen by ALPN is `h2`. */
  alpnIsH2(): boolean {
    const cell = new BigUint64Array(1), length = intCell();
    this.#tls.library.ssl.SSL_get0_alpn_selected(this.#ssl, new Uint8Array(cell.buffer), length.bytes);
    return length.value === 2;
  }

  negotiated(): { version: string; cipher: string; group: string } {
    const { ssl } = this.#tls.library;
    const group = Number(ssl.SSL_ctrl(this.#ssl, CTRL_NEGOTIATED_GROUP, 0n, null));
    return {
      version: readCString(ssl.SSL_get_version(this.#ssl)),
      cipher: readCString(ssl.SSL_CIPHER_get_name(ssl.SSL_get_current_cipher(this.#ssl))),
      group: ssl.SSL_group_to_name === null ? "" : readCString(ssl.SSL_group_to_name(this.#ssl, group)),
    };
  }

  /** Queues close_notify and pushes it as far as the socket takes it. */
  sayGoodbye(): void {
    this.#tls.library.ssl.SSL_shutdown(this.#ssl);
    this.flush();
    this.#tls.library.crypto.ERR_clear_error();
  }

  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.#tls.library.ssl.SSL_free(this.#ssl);
  }

  /** Called by OpenSSL through {@link NativeTls} with its X509_STORE_CTX. */
  verify(store: Deno.PointerValue): number {
    const { crypto } = this.#tls.library;
    if (crypto.X509_verify_cert(store) !== 1) {
      this.error = readCString(crypto.X509_verify_cert_error_string(BigInt(crypto.X509_STORE_CTX_get_error(store))));
      return 0;
    }
    const chain = this.#derChain(crypto.X509_STORE_CTX_get0_chain(store));
    const refusal = this.#accept(chain);
    if (refusal === null) {
      this.peerChain = chain;
      return 1;
    }
    this.error = refusal;
    crypto.X509_STORE_CTX_set_error(store, ERROR_APPLICATION_VERIFICATION);
    return 0;
  }

  #derChain(stack: Deno.PointerValue): Uint8Array[] {
    const { crypto } = this.#tls.library;
    return Array.from({ length: Math.max(0, crypto.OPENSSL_sk_num(stack)) }, (_, index) => {
      const certificate = crypto.OPENSSL_sk_value(stack, index);
      const der = new Uint8Array(crypto.i2d_X509(certificate, null));
      crypto.i2d_X509(certificate, pointerTo(der));
      return der;
    });
  }

  /** Looks at why a call came back empty-handed; fills `error` and returns false when the session is broken. */
  #wantsMore(result: number): boolean {
    const systemError = errno();
    const reason = this.#tls.library.ssl.SSL_get_error(this.#ssl, result);
    if (reason === SSL_ERROR_WANT_READ || reason === SSL_ERROR_WANT_WRITE) return true;
    const text = this.#tls.takeError();
    if (reason === SSL_ERROR_SYSCALL && text === "") {
      if (systemError === EAGAIN) return true;
      this.error ||= systemError === 0 ? "unexpected end of the connection" : errnoText(systemError);
    } else this.error ||= text;
    return false;
  }
}
