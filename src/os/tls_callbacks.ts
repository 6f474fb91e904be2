/** The functions of this thread that the TLS library calls during handshakes and reads. */
import type { TlsLibrary } from "./tls_library.ts";

/** `SSL_TLSEXT_ERR_*` of an ALPN callback, `OPENSSL_NPN_NEGOTIATED` of the selection. */
const OK = 0, ALERT_FATAL = 2, NEGOTIATED = 1;

/** Results of a ClientHello callback, the extension that it checks, and its alert (RFC 7301 §3). */
const HELLO_GOOD = 1, HELLO_BAD = 0, EXTENSION_ALPN = 16, NO_APPLICATION_PROTOCOL = 120;

/** `SSL_CB_LOOP`: the TLS library calls the info callback with it once for each handshake message. */
const STATE_LOOP = 1;

/** The only protocol that is supported, as an ALPN list. */
export const ALPN_H2 = new Uint8Array([2, 0x68, 0x32]);

const verifySignature = { parameters: ["pointer", "pointer"], result: "i32" } as const;
const infoSignature = { parameters: ["pointer", "i32", "i32"], result: "void" } as const;
const helloSignature = { parameters: ["pointer", "pointer", "pointer"], result: "i32" } as const;
const keyLogSignature = { parameters: ["pointer", "pointer"], result: "void" } as const;
const alpnSignature = {
  parameters: ["pointer", "pointer", "pointer", "pointer", "u32", "pointer"],
  result: "i32",
} as const;

/** What the callbacks need of a session. Its functions must not throw through the TLS library: see `failInCallback`. */
export interface SessionCallbacks {
  /** Verifies the peer. `store`: an X509_STORE_CTX. Returns 1 to accept the peer, 0 to refuse it. */
  verify(store: Deno.PointerValue): number;
  /** Called for each handshake message that the peer sends after the handshake. */
  countMessage(): void;
  /** The TLS library has made a secret. `line`: of a key log, a C string. */
  noteSecret(line: Deno.PointerValue): void;
  /** The peer's ClientHello is refused, for the reason `text`. */
  refuseHello(text: string): void;
  /** A callback threw the error `text`: its decision is missing, so the session must fail. */
  failInCallback(text: string): void;
}

/** One instance for each thread. The TLS library calls back on the thread that called it, from inside that call. */
export class TlsCallbacks {
  readonly #library: TlsLibrary;
  readonly #verify: Deno.UnsafeCallback<typeof verifySignature>;
  readonly #message: Deno.UnsafeCallback<typeof infoSignature>;
  readonly #hello: Deno.UnsafeCallback<typeof helloSignature>;
  readonly #selectAlpn: Deno.UnsafeCallback<typeof alpnSignature>;
  readonly #keyLog: Deno.UnsafeCallback<typeof keyLogSignature>;
  /** The session for which the TLS library is being called. Callbacks come from inside that call, so they belong to it. */
  session: SessionCallbacks | null = null;

  constructor(library: TlsLibrary) {
    this.#library = library;
    this.#verify = new Deno.UnsafeCallback(
      verifySignature,
      (store) => this.#guarded(0, () => this.session?.verify(store) ?? 0),
    );
    this.#message = new Deno.UnsafeCallback(infoSignature, (_ssl, where) => {
      if (where & STATE_LOOP) this.#guarded(undefined, () => this.session?.countMessage());
    });
    this.#hello = new Deno.UnsafeCallback(
      helloSignature,
      (ssl, alert) => this.#guarded(HELLO_BAD, () => this.#checkHello(ssl, alert)),
    );
    this.#keyLog = new Deno.UnsafeCallback(
      keyLogSignature,
      (_ssl, line) => this.#guarded(undefined, () => this.session?.noteSecret(line)),
    );
    this.#selectAlpn = new Deno.UnsafeCallback(
      alpnSignature,
      (_ssl, out, outLength, offered, length) =>
        this.#guarded(ALERT_FATAL, () => {
          const { SSL_select_next_proto } = library.ssl;
          const found = SSL_select_next_proto(out, outLength, ALPN_H2, ALPN_H2.length, offered, length);
          return found === NEGOTIATED ? OK : ALERT_FATAL;
        }),
    );
  }

  /** Makes a new `SSL_CTX` call these functions. */
  addTo(context: Deno.PointerValue): void {
    const { ssl } = this.#library;
    ssl.SSL_CTX_set_cert_verify_callback(context, this.#verify.pointer, null);
    ssl.SSL_CTX_set_client_hello_cb(context, this.#hello.pointer, null);
    if (this.#library.showsSecrets()) ssl.SSL_CTX_set_keylog_callback(context, this.#keyLog.pointer);
    ssl.SSL_CTX_set_alpn_select_cb(context, this.#selectAlpn.pointer, null);
  }

  /** From now on {@link SessionCallbacks.countMessage} is called for handshake messages. Data causes no call. */
  watchMessages(ssl: Deno.PointerValue): void {
    this.#library.ssl.SSL_set_info_callback(ssl, this.#message.pointer);
  }

  /** Call it only when all contexts and sessions have been freed. */
  close(): void {
    this.#verify.close();
    this.#message.close();
    this.#hello.close();
    this.#keyLog.close();
    this.#selectAlpn.close();
  }

  /**
   * Refuses a client without ALPN. The TLS library does not call the ALPN callback for it, and here the refusal comes
   * before the cost of a key exchange.
   */
  #checkHello(ssl: Deno.PointerValue, alert: Deno.PointerValue): number {
    if (this.#offersAlpn(ssl)) return HELLO_GOOD;
    new DataView(Deno.UnsafePointerView.getArrayBuffer(alert!, 4)).setInt32(0, NO_APPLICATION_PROTOCOL, true);
    this.session?.refuseHello("the client offers no application protocol (ALPN), h2 is required");
    return HELLO_BAD;
  }

  #offersAlpn(ssl: Deno.PointerValue): boolean {
    const out = new Uint8Array(8), length = new Uint8Array(8);
    return this.#library.ssl.SSL_client_hello_get0_ext(ssl, EXTENSION_ALPN, out, length) === 1;
  }

  /** An exception must not unwind through the TLS library, which still uses the session: the session fails instead. */
  #guarded<T>(failed: T, run: () => T): T {
    try {
      return run();
    } catch (error) {
      this.session?.failInCallback(error instanceof Error ? error.message : String(error));
      return failed;
    }
  }
}
