/** An OpenSSL context: what all sessions with one certificate and one set of trust anchors have in common. */
import { cString } from "./libc.ts";
import { pointerTo, withPointer } from "./pointers.ts";
import { ALPN_H2, type NativeTls, type TlsCallbacks } from "./tls_native.ts";
import { Ctrl } from "./tls_numbers.ts";
import { type AcceptPath, NativeTlsSession, type TlsRole } from "./tls_native_session.ts";

const MODE_ACCEPT_MOVING_WRITE_BUFFER = 2n;
/** Send the chain as given. Otherwise OpenSSL completes it from the trust anchors, for every handshake. */
const MODE_NO_AUTO_CHAIN = 8n;
const MODE_RELEASE_BUFFERS = 16n;
const MODES = MODE_ACCEPT_MOVING_WRITE_BUFFER | MODE_NO_AUTO_CHAIN | MODE_RELEASE_BUFFERS;

const OP_NO_TICKET = 1n << 14n, OP_NO_COMPRESSION = 1n << 17n, OP_NO_RENEGOTIATION = 1n << 30n;
const OP_NO_TX_CERTIFICATE_COMPRESSION = 1n << 32n, OP_NO_RX_CERTIFICATE_COMPRESSION = 1n << 33n;
const OPTIONS = OP_NO_TICKET | OP_NO_COMPRESSION | OP_NO_RENEGOTIATION | OP_NO_TX_CERTIFICATE_COMPRESSION |
  OP_NO_RX_CERTIFICATE_COMPRESSION;

const TLS1_2 = 0x0303n, TLS1_3 = 0x0304n;
const VERIFY_PEER_OR_FAIL = 3;
/** RSA and DH from 2048 bits on, whatever the system's configuration says (`docs/spec/identity-spire.md` 6.1). */
const SECURITY_LEVEL = 2;
/** Intermediates between a leaf and its anchor. */
const MAX_INTERMEDIATES = 6;
/** An anchor need not be self-signed: bundles may hold intermediates. */
const FLAG_PARTIAL_CHAIN = 0x80000n;
/**
 * Four whole records of a peer in full flow (16384 bytes, 5 of header, 17 of type and tag): otherwise each fill ends in
 * the middle of one and OpenSSL reads its rest with a call of its own.
 */
const READ_AHEAD = 4n * 16406n;

export interface NativeTlsSettings {
  /** DER, leaf first. */
  readonly chain: readonly Uint8Array[];
  /** PKCS#8 DER. */
  readonly key: Uint8Array;
  /** DER. */
  readonly anchors: readonly Uint8Array[];
}

/** See `TlsPolicy` of `net/tls_context.ts`. */
export interface NativeTlsPolicy {
  readonly ciphers: string;
  readonly tls12Ciphers: string | null;
  readonly groups: readonly string[];
}

/** A certificate, key or name that OpenSSL would not take. */
export class TlsSettingsError extends Error {
  override readonly name = "TlsSettingsError";
}

export class NativeTlsContext {
  readonly #tls: NativeTls;
  readonly #number: number;
  #context: Deno.PointerValue;

  /** `settings` null: nothing but the policy, which is thereby checked. */
  constructor(tls: NativeTls, settings: NativeTlsSettings | null, callbacks: TlsCallbacks) {
    const { ssl, crypto } = tls.library;
    this.#tls = tls;
    this.#number = tls.contexts++;
    crypto.ERR_clear_error();
    this.#context = ssl.SSL_CTX_new(ssl.TLS_method());
    if (this.#context === null) throw new TlsSettingsError(`cannot make a TLS context: ${tls.takeErrorText()}`);
    try {
      this.#setProtocol(tls.policy);
      this.#setCallbacks(callbacks);
      if (settings === null) return;
      this.#setCertificate(settings);
      this.#setAnchors(settings.anchors);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** On a socket, which stays the caller's. Throws {@link TlsSettingsError} once the context is closed. */
  newSession(fd: number, role: TlsRole, writeBuffer: number, accept: AcceptPath): NativeTlsSession {
    return new NativeTlsSession(this.#tls, this.#pointer(), this.#number, { fd, writeBuffer }, role, accept);
  }

  /** Between two heaps of bytes that the caller fills and empties. Throws as {@link newSession}. */
  newMemorySession(role: TlsRole, accept: AcceptPath): NativeTlsSession {
    return new NativeTlsSession(this.#tls, this.#pointer(), this.#number, null, role, accept);
  }

  /** Whether {@link newSession} works; {@link newMemorySession} always does. */
  get buffersSockets(): boolean {
    return this.#tls.library.buffersSockets;
  }

  /** Of TLS 1.2 or 1.3, by its name in OpenSSL. */
  allowsCipher(name: string): boolean {
    const { ciphers, tls12Ciphers } = this.#tls.policy;
    return `:${ciphers}:${tls12Ciphers}:`.includes(`:${name}:`);
  }

  #pointer(): Deno.PointerValue {
    if (this.#context === null) throw new TlsSettingsError("the TLS context is closed");
    return this.#context;
  }

  /** Sessions hold a reference of their own. Idempotent. */
  close(): void {
    if (this.#context === null) return;
    this.#tls.library.ssl.SSL_CTX_free(this.#context);
    this.#context = null;
  }

  #setProtocol({ ciphers, tls12Ciphers, groups }: NativeTlsPolicy): void {
    const { ssl, crypto } = this.#tls.library, context = this.#context;
    ssl.SSL_CTX_ctrl(context, Ctrl.MIN_PROTOCOL, tls12Ciphers === null ? TLS1_3 : TLS1_2, null);
    ssl.SSL_CTX_ctrl(context, Ctrl.MAX_PROTOCOL, TLS1_3, null);
    ssl.SSL_CTX_ctrl(context, Ctrl.MODE, MODES, null);
    ssl.SSL_CTX_ctrl(context, Ctrl.READ_AHEAD, 1n, null);
    ssl.SSL_CTX_set_default_read_buffer_len(context, READ_AHEAD);
    // No resumption in any form: every connection proves its certificate.
    ssl.SSL_CTX_set_options(context, OPTIONS);
    ssl.SSL_CTX_ctrl(context, Ctrl.SESSION_CACHE_MODE, 0n, null);
    ssl.SSL_CTX_set_num_tickets(context, 0n);
    this.#must(ssl.SSL_CTX_set_ciphersuites(context, cString(ciphers)) === 1, `cipher list ${ciphers}`);
    if (tls12Ciphers !== null) {
      this.#must(ssl.SSL_CTX_set_cipher_list(context, cString(tls12Ciphers)) === 1, `cipher list ${tls12Ciphers}`);
    }
    const taken = groups.some((list) => this.#takesGroups(list));
    this.#must(taken, `key exchange groups ${groups.join(" or ")}`);
    // Of a list that was not taken.
    crypto.ERR_clear_error();
    this.#must(ssl.SSL_CTX_set_alpn_protos(context, ALPN_H2, ALPN_H2.length) === 0, "ALPN h2");
  }

  #takesGroups(list: string): boolean {
    const { ssl } = this.#tls.library;
    return withPointer(
      cString(list),
      (text) => ssl.SSL_CTX_ctrl(this.#context, Ctrl.SET_GROUPS_LIST, 0n, text) === 1n,
    );
  }

  #setCallbacks({ verify, hello, selectAlpn }: TlsCallbacks): void {
    const { ssl } = this.#tls.library, context = this.#context;
    ssl.SSL_CTX_set_security_level(context, SECURITY_LEVEL);
    ssl.SSL_CTX_set_verify(context, VERIFY_PEER_OR_FAIL, null);
    ssl.SSL_CTX_set_verify_depth(context, MAX_INTERMEDIATES);
    ssl.SSL_CTX_set_cert_verify_callback(context, verify, null);
    ssl.SSL_CTX_set_client_hello_cb(context, hello, null);
    ssl.SSL_CTX_set_alpn_select_cb(context, selectAlpn, null);
  }

  #setCertificate(settings: NativeTlsSettings): void {
    const { ssl, crypto } = this.#tls.library, context = this.#context;
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
    const { ssl, crypto } = this.#tls.library;
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
    const certificate = this.#tls.library.crypto.d2i_X509(null, pointerTo(der), der.length);
    this.#must(certificate !== null, what);
    return certificate;
  }

  #must(done: boolean, what: string): void {
    if (!done) throw new TlsSettingsError(`OpenSSL refused ${what}: ${this.#tls.takeErrorText()}`);
  }
}
