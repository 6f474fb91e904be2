/**
 * The signal by which this runtime opens its debugger: SIGUSR1, at 127.0.0.1:9229, without authentication (Deno 2.9.2
 * and later; no setting turns it off). Anyone who can connect there runs code in the proxy and reads its private keys.
 */
import { LIBC } from "./libc.ts";
import { openRarely } from "./rare_functions.ts";

const symbols = openRarely(LIBC, {
  signal: { parameters: ["i32", "pointer"], result: "pointer" },
});

const SIGUSR1 = 10;
const SIG_IGN = Deno.UnsafePointer.create(1n);

/**
 * Makes the process ignore SIGUSR1. Must be called before anything else, in the main isolate.
 *
 * The runtime registers its handler half a second after its start. It has one system handler for each signal and
 * installs it with the first listener only. So a listener of ours makes it install the handler now, and this function
 * then sets the signal to ignored. Listeners that the runtime adds later do not change that in the kernel.
 */
export function ignoreDebuggerSignal(): void {
  Deno.addSignalListener("SIGUSR1", () => {});
  symbols.signal(SIGUSR1, SIG_IGN);
}

/** Ignores the signal again. False: it was not ignored any more, so the runtime differs from the text above. */
export function keepDebuggerSignalIgnored(): boolean {
  const before = symbols.signal(SIGUSR1, SIG_IGN);
  return Deno.UnsafePointer.equals(before, SIG_IGN);
}
