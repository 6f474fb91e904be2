/**
 * The signal by which this runtime opens its debugger: SIGUSR1, at 127.0.0.1:9229, without asking for anything
 * (Deno 2.9.2 and later; there is no setting against it). Whoever may connect there runs code in the proxy and reads
 * its private keys.
 */
import { libc } from "./libc.ts";

const SIGUSR1 = 10;
const SIG_IGN = Deno.UnsafePointer.create(1n);

/**
 * Has SIGUSR1 ignored from now on. To be called first of all, in the main isolate.
 *
 * The runtime takes the signal half a second after its start. It has one system handler for each signal and installs
 * it with the first listener only, so a listener of ours makes it do that now. What it adds later changes nothing in
 * the kernel, where the signal stays ignored.
 */
export function ignoreDebuggerSignal(): void {
  Deno.addSignalListener("SIGUSR1", () => {});
  libc.signal(SIGUSR1, SIG_IGN);
}

/** Ignores it again. False when it was not ignored any more: the runtime does not do what is said above. */
export function keepDebuggerSignalIgnored(): boolean {
  const before = libc.signal(SIGUSR1, SIG_IGN);
  return Deno.UnsafePointer.equals(before, SIG_IGN);
}
