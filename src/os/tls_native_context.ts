/** A context of the TLS library: what all sessions with one certificate and one set of trust anchors have in common. */
import { cString } from "./libc.ts";
import { pointerTo, withPointer } from "./pointers.ts";
import { ALPN_H2 } from "./tls_callbacks.ts";
import { takeErrorText } from "./tls_error_queue.ts";
import { type AcceptPath, NativeTlsSession } from "./tls_native_session.ts";
import { Ctrl } from "./tls_numbers.ts";
import { type NativeTlsPolicy, type NativeTlsSettings, type TlsRole, TlsSettingsError } from "./tls_settings.ts";
import type { TlsThread } from "./tls_thread.ts";

const MODE_ACCEPT_MOVING_WRITE_BUFFER = 2n;
/** Sends the chain as given. Without it the TLS library completes the chain from the trust anchors, in each handshake. */
const MODE_NO_AUTO_CHAIN = 8n;
const MODE_RELEASE_BUFFERS = 16n;
const MODES = MODE_ACCEPT_MOVING_WRITE_BUFFER | MODE_NO_AUTO_CHAIN | MODE_RELEASE_BUFFERS;

const OP_NO_TICKET = 1n << 14n, OP_NO_COMPRESSION = 1n << 17n, OP_NO_RENEGOTIATION = 1n << 30n;
const OP_NO_TX_CERTIFICATE_COMPRESSION = 1n << 32n, OP_NO_RX_CERTIFICATE_COMPRESSION = 1n << 33n;
const OPTIONS = OP_NO_TICKET | OP_NO_COMPRESSION | OP_NO_RENEGOTIATION | OP_NO_TX_CERTIFICATE_COMPRESSION |
  OP_NO_RX_CERTIFICATE_COMPRESSION;

const TLS1_2 = 0x0303n, TLS1_3 = 0x0304n;
const VERIFY_PEER_OR_FAIL = 3;
/** RSA and DH need 2048 bits or more, whatever the system's configuration says (`docs/spec/identity-spire.md` 6.1). */
const SECURITY_LEVEL = 2;
/** The most intermediates between a leaf and its anchor. */
const MAX_INTERMEDIATES = 6;
/** Allows anchors that are not self-signed: trust bundles may contain intermediates. */
const FLAG_PARTIAL_CHAIN = 0x80000n;
/**
 * Bytes of four full records (16384 of data, 5 of header, 17 of content type and tag). With another size each read of a
 * bulk stream ends inside a record, and OpenSSL needs another system call to read the rest of it.
 */
const READ_AHEAD = 4n * 16406n;

/** An `SSL_CTX`. Made by `NativeTls.newContext`. */
export class NativeTlsContext {
  readonly #thread: TlsThread;
  readonly #number: number;
  /** Whether to use {@link newSession} for a socket: OpenSSL protects the records, and writes them through a buffer. */
  readonly usesSockets: boolean;
  #context: Deno.PointerValue;

  /**
   * `settings` null: the context has the policy only, to check that the library supports it. Throws
   * {@link TlsSettingsError}.
   */
  constructor(thread: TlsThread, settings: NativeTlsSettings | null) {
    const { library, policy } = thread;
    this.#thread = thread;
    this.#number = thread.contexts++;
    const givesRecords = library.showsSecrets() && policy.tls12Ciphers === null;
    this.usesSockets = library.buffersSockets && !givesRecords;
    library.crypto.ERR_clear_error();
    this.#context = library.ssl.SSL_CTX_new(library.ssl.TLS_method());
    if (this.#context === null) throw new TlsSettingsError(`cannot make a TLS context: ${takeErrorText(library)}`);
    try {
      this.#setProtocol(policy);
      this.#setVerification();
      if (settings === null) return;
      this.#setCertificate(settings);
      this.#setAnchors(settings.anchors);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * A session on the socket `fd`, which the caller still owns. `writeBuffer`: bytes to which its write buffer may grow.
   * Throws {@link TlsSettingsError} once the context is closed.
   */
  newSession(fd: number, role: TlsRole, writeBuffer: number, accept: AcceptPath): NativeTlsSession {
    return new NativeTlsSession(this.#thread, this.#pointer(), this.#number, { fd, writeBuffer }, role, accept);
  }

  /** A session in memory: the caller moves its bytes. Throws as {@link newSession}. */
  newMemorySession(role: TlsRole, accept: AcceptPath): NativeTlsSession {
    return new NativeTlsSession(this.#thread, this.#pointer(), this.#number, null, role, accept);
  }

  /** Whether the policy allows a cipher suite of TLS 1.2 or 1.3. `name`: as OpenSSL calls it. */
  allowsCipher(name: string): boolean {
    const { ciphers, tls12Ciphers } = this.#thread.policy;
    return `:${ciphers}:${tls12Ciphers}:`.includes(`:${name}:`);
  }

  #pointer(): Deno.PointerValue {
    if (this.#context === null) throw new TlsSettingsError("the TLS context is closed");
    return this.#context;
  }

  /** No new sessions can be made; existing ones have their own reference. Idempotent. */
  close(): void {
    if (this.#context === null) return;
    this.#thread.library.ssl.SSL_CTX_free(this.#context);
    this.#context = null;
  }

  #setProtocol({ ciphers, tls12Ciphers, groups }: NativeTlsPolicy): void {
    const { ssl, crypto } = this.#thread.library, context = this.#context;
    ssl.SSL_CTX_ctrl(context, Ctrl.MIN_PROTOCOL, tls12Ciphers === null ? TLS1_3 : TLS1_2, null);
    ssl.SSL_CTX_ctrl(context, Ctrl.MAX_PROTOCOL, TLS1_3, null);
    ssl.SSL_CTX_ctrl(context, Ctrl.MODE, MODES, null);
    // What OpenSSL reads ahead would be missing where it does the handshake only.
    if (this.usesSockets) ssl.SSL_CTX_ctrl(context, Ctrl.READ_AHEAD, 1n, null);
    ssl.SSL_CTX_set_default_read_buffer_len(context, READ_AHEAD);
    // Sessions are never resumed: the peer of each connection must prove that it has its certificate's key.
    ssl.SSL_CTX_set_options(context, OPTIONS);
    ssl.SSL_CTX_ctrl(context, Ctrl.SESSION_CACHE_MODE, 0n, null);
    ssl.SSL_CTX_set_num_tickets(context, 0n);
    this.#must(ssl.SSL_CTX_set_ciphersuites(context, cString(ciphers)) === 1, `cipher list ${ciphers}`);
    if (tls12Ciphers !== null) {
      this.#must(ssl.SSL_CTX_set_cipher_list(context, cString(tls12Ciphers)) === 1, `cipher list ${tls12Ciphers}`);
    }
    const accepted = groups.some((list) => this.#acceptsGroups(list));
    this.#must(accepted, `key exchange groups ${groups.join(" or ")}`);
    // Lists that were not accepted have left errors in the queue.
    crypto.ERR_clear_error();
    this.#must(ssl.SSL_CTX_set_alpn_protos(context, ALPN_H2, ALPN_H2.length) === 0, "ALPN h2");
  }

  #acceptsGroups(list: string): boolean {
    const { ssl } = this.#thread.library;
    return withPointer(
      cString(list),
      (text) => ssl.SSL_CTX_ctrl(this.#context, Ctrl.SET_GROUPS_LIST, 0n, text) === 1n,
    );
  }

  #setVerification(): void {
    const { ssl } = this.#thread.library, context = this.#context;
    ssl.SSL_CTX_set_security_level(context, SECURITY_LEVEL);
    ssl.SSL_CTX_set_verify(context, VERIFY_PEER_OR_FAIL, null);
    ssl.SSL_CTX_set_verify_depth(context, MAX_INTERMEDIATES);
    this.#thread.callbacks.addTo(context);
  }

  #setCertificate(settings: NativeTlsSettings): void {
    const { ssl, crypto } = this.#thread.library, context = this.#context;
    this.#must(settings.chain.length > 0, "an empty certificate chain");
    settings.chain.forEach((der, index) => {
      const what = index === 0 ? "the certificate" : `intermediate ${index}`;
      const certificate = this.#parse(der, what);
      const taken = index === 0
        ? ssl.SSL_CTX_use_certificate(context, certificate) === 1
        : ssl.SSL_CTX_ctrl(context, Ctrl.ADD_CHAIN_CERTIFICATE, 1n, certificate) === 1n;
      crypto.X509_free(certificate);
      this.#must(taken, what);
    });
    this.#must(settings.key.length > 0, "an empty private key");
    const key = crypto.d2i_AutoPrivateKey(null, pointerTo(settings.key), settings.key.length);
    this.#must(key !== null, "the private key");
    const taken = ssl.SSL_CTX_use_PrivateKey(context, key) === 1;
    crypto.EVP_PKEY_free(key);
    const fits = taken && ssl.SSL_CTX_check_private_key(context) === 1;
    this.#must(fits, "the private key: it does not fit the certificate");
  }

  #setAnchors(anchors: readonly Uint8Array[]): void {
    const { ssl, crypto } = this.#thread.library;
    const store = ssl.SSL_CTX_get_cert_store(this.#context);
    crypto.X509_STORE_set_flags(store, FLAG_PARTIAL_CHAIN);
    anchors.forEach((der, index) => {
      const anchor = this.#parse(der, `trust anchor ${index}`);
      crypto.X509_STORE_add_cert(store, anchor);
      crypto.X509_free(anchor);
    });
    crypto.ERR_clear_error();
  }

  #parse(der: Uint8Array, what: string): Deno.PointerValue {
    this.#must(der.length > 0, what);
    const certificate = this.#thread.library.crypto.d2i_X509(null, pointerTo(der), der.length);
    this.#must(certificate !== null, what);
    return certificate;
  }

  /** Throws unless `accepted`. `what`: the setting that the TLS library did not accept. */
  #must(accepted: boolean, what: string): void {
    if (!accepted) {
      throw new TlsSettingsError(`the TLS library refused ${what}: ${takeErrorText(this.#thread.library)}`);
    }
  }
}
