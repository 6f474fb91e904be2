/** Programs of the benchmark that run in processes of their own, and the permissions of the runtime that they get. */

/** Sockets and TLS of senders and attackers go by FFI; certificates and results are files. */
const PERMISSIONS = ["--allow-env", "--allow-ffi", "--allow-net", "--allow-read", "--allow-write"] as const;

/** Permissions of the benchmark itself: it starts programs and asks for its user and the machine. */
export const BENCH_PERMISSIONS = [...PERMISSIONS, "--allow-run", "--allow-sys"] as const;

/** The command that runs `file`, a path relative to this folder, with `args`. */
export function script(file: string, ...args: readonly string[]): readonly string[] {
  const path = new URL(file, import.meta.url).pathname;
  return [Deno.execPath(), "run", "--no-prompt", ...PERMISSIONS, path, ...args];
}
