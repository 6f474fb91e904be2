/** Makes {@link TlsContext}s of the TLS library. */
import type { TlsLibrary } from "../os/tls_library.ts";
import { NativeTls } from "../os/tls_native.ts";
import type { NativeTlsContext } from "../os/tls_native_context.ts";
import type { TlsContext, TlsPolicy, TlsSettings } from "./tls_context.ts";

/** One for each isolate: the TLS library calls back on the thread that has made the engine. */
export class TlsEngine {
  readonly #native: NativeTls;

  /** Throws `TlsSettingsError` when the library does not support what `policy` demands. */
  constructor(library: TlsLibrary, policy: TlsPolicy) {
    this.#native = new NativeTls(library, policy);
  }

  /** Throws `TlsSettingsError` for a certificate or key that the TLS library refuses. */
  context(settings: TlsSettings): TlsContext {
    return new OpenSslContext(settings, this.#native.newContext(settings));
  }

  /** Call it only when all contexts and streams have been closed. */
  close(): void {
    this.#native.close();
  }
}

/** Made by {@link TlsEngine.context}. */
export class OpenSslContext implements TlsContext {
  readonly settings: TlsSettings;
  readonly native: NativeTlsContext;

  constructor(settings: TlsSettings, native: NativeTlsContext) {
    this.settings = settings;
    this.native = native;
  }

  close(): void {
    this.native.close();
  }
}
