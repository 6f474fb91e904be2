/** The error queue that the TLS library keeps for each thread. */
import { readCString } from "./libc.ts";
import type { TlsFailure } from "./tls_failure.ts";
import type { TlsLibrary } from "./tls_library.ts";

/**
 * Empties this thread's error queue. Null: it was empty. The first entry of the TLS layer is the reason: later entries
 * only say that something failed (since OpenSSL 3.2: `record layer failure`), and entries of other layers are details.
 */
export function takeFailure({ crypto, failureOf }: TlsLibrary): TlsFailure | null {
  let first: TlsFailure | null = null;
  for (let code = crypto.ERR_get_error(); code !== 0n; code = crypto.ERR_get_error()) {
    const text = readCString(crypto.ERR_reason_error_string(code)) || `error ${code}`;
    const failure = failureOf(Number(code), text);
    if (failure !== null) {
      crypto.ERR_clear_error();
      return failure;
    }
    first ??= { kind: "protocol", text };
  }
  return first;
}

/** Empties this thread's error queue and returns the reason as text, for failures that no peer has caused. */
export function takeErrorText(library: TlsLibrary): string {
  const failure = takeFailure(library);
  return failure === null || !("text" in failure) ? failure?.kind ?? "no reason given" : failure.text;
}
