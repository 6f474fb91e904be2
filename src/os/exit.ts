/** Ends the process without the exit handlers of its libraries. */
import { LIBC } from "./libc.ts";
import { openRarely } from "./rare_functions.ts";

const { _exit } = openRarely(LIBC, { _exit: { parameters: ["i32"], result: "void" } });

/**
 * Ends the process at once. `Deno.exit` runs the handlers that libraries have registered, among them OpenSSL's, which
 * frees what a worker that still starts is about to use: a start that failed then sometimes ended by a signal instead of
 * with its status. Nothing that is buffered is written: callers do that before.
 */
export function exitAtOnce(status: number): never {
  _exit(status);
  throw new Error("unreachable");
}
