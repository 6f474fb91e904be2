/** OpenSSL as the engine behind {@link TlsContext}. */
import type { TlsLibrary } from "../os/tls_library.ts";
import { NativeTls } from "../os/tls_native.ts";
import type { NativeTlsContext } from "../os/tls_native_context.ts";
import type { TlsContext, TlsPolicy, TlsSettings } from "./tls_context.ts";

/** One per isolate: callbacks from OpenSSL come on the thread that made the engine. */
export class TlsEngine {
  readonly #native: NativeTls;

  /** Throws `TlsSettingsError` where the library cannot do what the policy says. */
  constructor(library: TlsLibrary, policy: TlsPolicy) {
    this.#native = new NativeTls(library, policy);
  }

  /** Throws `TlsSettingsError` for a certificate or key that OpenSSL refuses. */
  context(settings: TlsSettings): TlsContext {
    return new OpenSslContext(settings, this.#native.newContext(settings));
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
