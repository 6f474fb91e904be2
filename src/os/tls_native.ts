/** OpenSSL on this thread: its callbacks and its error queue. Contexts are made here, sessions from contexts. */
import type { TlsFailure } from "./tls_failure.ts";
import { readCString, type TlsLibrary } from "./tls_library.ts";
import { NativeTlsContext, type NativeTlsPolicy, type NativeTlsSettings } from "./tls_native_context.ts";
import { VerifiedPaths } from "./verified_paths.ts";
import type { NativeTlsSession } from "./tls_native_session.ts";

/** `SSL_TLSEXT_ERR_*` of an ALPN callback, `OPENSSL_NPN_NEGOTIATED` of the selection. */
const OK = 0, ALERT_FATAL = 2, NEGOTIATED = 1;

/** Of a ClientHello callback, and what it looks at and answers (RFC 7301 §3). */
const HELLO_GOOD = 1, HELLO_BAD = 0, EXTENSION_ALPN = 16, NO_APPLICATION_PROTOCOL = 120;

/** `SSL_CB_LOOP`: the state machine is about to go on, for each message. */
const STATE_LOOP = 1;

/** The one protocol we speak, as an ALPN list. */
export const ALPN_H2 = new Uint8Array([2, 0x68, 0x32]);

const verifySignature = { parameters: ["pointer", "pointer"], result: "i32" } as const;
const infoSignature = { parameters: ["pointer", "i32", "i32"], result: "void" } as const;
const helloSignature = { parameters: ["pointer", "pointer", "pointer"], result: "i32" } as const;
const alpnSignature = {
  parameters: ["pointer", "pointer", "pointer", "pointer", "u32", "pointer"],
  result: "i32",
} as const;

/** What OpenSSL calls on contexts; the functions belong to {@link NativeTls}. */
export interface TlsCallbacks {
  readonly verify: Deno.PointerValue;
  readonly hello: Deno.PointerValue;
  readonly selectAlpn: Deno.PointerValue;
}

export class NativeTls {
  readonly #verify: Deno.UnsafeCallback<typeof verifySignature>;
  readonly #message: Deno.UnsafeCallback<typeof infoSignature>;
  readonly #hello: Deno.UnsafeCallback<typeof helloSignature>;
  readonly #selectAlpn: Deno.UnsafeCallback<typeof alpnSignature>;
  readonly #callbacks: TlsCallbacks;
  readonly #constants = new Map<bigint, string>();
  readonly #groups = new Map<number, string>();
  /** The algorithm of {@link pathKey}'s digests. */
  readonly sha256: Deno.PointerValue;
  readonly paths = new VerifiedPaths();
  /** How many were made: the number of the next one. */
  contexts = 0;
  /** OpenSSL calls back synchronously from `SSL_do_handshake` and `SSL_read`, so the session at work is known. */
  working: NativeTlsSession | null = null;

  /** Throws `TlsSettingsError` where the library cannot do what the policy says. */
  constructor(readonly library: TlsLibrary, readonly policy: NativeTlsPolicy) {
    this.sha256 = library.crypto.EVP_sha256();
    this.#verify = new Deno.UnsafeCallback(
      verifySignature,
      (store) => this.#guarded(0, () => this.working?.verify(store) ?? 0),
    );
    this.#message = new Deno.UnsafeCallback(infoSignature, (_ssl, where) => {
      if (where & STATE_LOOP) this.#guarded(undefined, () => this.working?.countMessage());
    });
    // A client without ALPN never gets to the selection below, so it is stopped here, before it costs a key exchange.
    this.#hello = new Deno.UnsafeCallback(
      helloSignature,
      (ssl, alert) => this.#guarded(HELLO_BAD, () => this.#judgeHello(ssl, alert)),
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
    this.#callbacks = {
      verify: this.#verify.pointer,
      hello: this.#hello.pointer,
      selectAlpn: this.#selectAlpn.pointer,
    };
    try {
      new NativeTlsContext(this, null, this.#callbacks).close();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Throws `TlsSettingsError`. */
  newContext(settings: NativeTlsSettings): NativeTlsContext {
    return new NativeTlsContext(this, settings, this.#callbacks);
  }

  /** From now on {@link NativeTlsSession.countMessage} is told of handshake messages; data costs nothing. */
  watchMessages(ssl: Deno.PointerValue): void {
    this.library.ssl.SSL_set_info_callback(ssl, this.#message.pointer);
  }

  /** Of a string that the library never frees or changes: a few of them, read once each. */
  constantText(pointer: Deno.PointerValue): string {
    const address = Deno.UnsafePointer.value(pointer);
    let text = this.#constants.get(address);
    if (text === undefined) this.#constants.set(address, text = readCString(pointer));
    return text;
  }

  /** Empty where the library has no names. `group`: its number, by the library's count. */
  groupName(ssl: Deno.PointerValue, group: number): string {
    const { SSL_group_to_name } = this.library.ssl;
    let name = this.#groups.get(group);
    if (name === undefined) {
      this.#groups.set(group, name = SSL_group_to_name === null ? "" : readCString(SSL_group_to_name(ssl, group)));
    }
    return name;
  }

  /** Only once all contexts and sessions are gone. */
  close(): void {
    this.#verify.close();
    this.#message.close();
    this.#hello.close();
    this.#selectAlpn.close();
  }

  #judgeHello(ssl: Deno.PointerValue, alert: Deno.PointerValue): number {
    if (this.#offersAlpn(ssl)) return HELLO_GOOD;
    new DataView(Deno.UnsafePointerView.getArrayBuffer(alert!, 4)).setInt32(0, NO_APPLICATION_PROTOCOL, true);
    this.working?.refuse("the client offers no application protocol (ALPN), h2 is required");
    return HELLO_BAD;
  }

  /** An exception must not unwind through OpenSSL, which is still using its session: the session fails instead. */
  #guarded<T>(failed: T, run: () => T): T {
    try {
      return run();
    } catch (error) {
      this.working?.breakOff(error instanceof Error ? error.message : String(error));
      return failed;
    }
  }

  #offersAlpn(ssl: Deno.PointerValue): boolean {
    const out = new Uint8Array(8), length = new Uint8Array(8);
    return this.library.ssl.SSL_client_hello_get0_ext(ssl, EXTENSION_ALPN, out, length) === 1;
  }

  /**
   * Empties this thread's error queue; null: it was empty. What the TLS layer said first is the reason; later entries
   * only say that something failed (from 3.2 on `record layer failure`), those of other layers are details.
   */
  takeFailure(): TlsFailure | null {
    const { ERR_get_error, ERR_reason_error_string } = this.library.crypto;
    let first: TlsFailure | null = null;
    for (let code = ERR_get_error(); code !== 0n; code = ERR_get_error()) {
      const text = readCString(ERR_reason_error_string(code)) || `error ${code}`;
      const ofTls = this.library.failureOf(Number(code), text);
      if (ofTls !== null) {
        this.library.crypto.ERR_clear_error();
        return ofTls;
      }
      first ??= { kind: "protocol", text };
    }
    return first;
  }

  /** The same as a text: for what is no fault of a peer. */
  takeErrorText(): string {
    const failure = this.takeFailure();
    return failure === null || !("text" in failure) ? failure?.kind ?? "no reason given" : failure.text;
  }
}
