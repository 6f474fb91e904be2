/** The TLS library on this thread. It makes contexts, and contexts make sessions. */
import type { TlsLibrary } from "./tls_library.ts";
import { NativeTlsContext } from "./tls_native_context.ts";
import type { NativeTlsPolicy, NativeTlsSettings } from "./tls_settings.ts";
import { TlsThread } from "./tls_thread.ts";

/** One instance for each thread that uses TLS. */
export class NativeTls {
  readonly #thread: TlsThread;

  /** Throws `TlsSettingsError` when the library does not support what `policy` demands. */
  constructor(library: TlsLibrary, policy: NativeTlsPolicy) {
    this.#thread = new TlsThread(library, policy);
    try {
      new NativeTlsContext(this.#thread, null).close();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Throws `TlsSettingsError` for a certificate or key that the TLS library does not accept. */
  newContext(settings: NativeTlsSettings): NativeTlsContext {
    return new NativeTlsContext(this.#thread, settings);
  }

  /** Call it only when all contexts and sessions have been closed. */
  close(): void {
    this.#thread.close();
  }
}
