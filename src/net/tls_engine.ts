/** OpenSSL as the engine behind {@link TlsContext}. */
import type { TlsLibrary } from "../os/openssl_library.ts";
import { NativeTls } from "../os/tls_native.ts";
import type { NativeTlsContext } from "../os/tls_native_context.ts";
import type { TlsContext, TlsSettings } from "./tls_context.ts";

/** Prefers AES-256 as the peers do; no ChaCha20 (`docs/spec/dataplane.md` 2.1). */
export const DEFAULT_CIPHERS = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256";

/** One per isolate: callbacks from OpenSSL come on the thread that made the engine. */
export class TlsEngine {
  readonly #native: NativeTls;

  constructor(library: TlsLibrary) {
    this.#native = new NativeTls(library);
  }

  /** Throws `TlsSettingsError` for a certificate, key or name that OpenSSL refuses. */
  context(settings: TlsSettings): TlsContext {
    const native = this.#native.newContext({
      chain: settings.chain,
      key: settings.key,
      anchors: settings.anchors,
      ciphers: settings.ciphers ?? DEFAULT_CIPHERS,
      ...(settings.tls12Ciphers === undefined ? {} : { tls12Ciphers: settings.tls12Ciphers }),
      ...(settings.groups === undefined ? {} : { groups: settings.groups }),
    });
    return new OpenSslContext(settings, native);
  }

  close(): void {
    this.#native.close();
  }
}

export class OpenSslContext implements TlsContext {
  constructor(readonly settings: TlsSettings, readonly native: NativeTlsContext) {}

  close(): void {
    this.native.close();
  }
}
