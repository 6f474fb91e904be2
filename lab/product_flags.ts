/** The flags with which the proxy is started: only the permissions that it uses, and flags of V8. */
import { FLAGS, neededPaths, PATHS } from "../src/config/permissions.ts";

/**
 * V8 flags: `docs/spec/dataplane-speed.md` 7 and 12. The proxy may not start programs, so injected code cannot start a
 * shell.
 */
const ALWAYS = [
  "--no-prompt",
  "--v8-flags=--max-semi-space-size=1,--no-parallel-scavenge,--no-lazy",
  ...Object.keys(FLAGS),
  "--deny-run",
];

/** Returns the flags for `deno run` at the top of the project. `more`: further files to read, such as another main module. */
export function productFlags(environment: Readonly<Record<string, string>>, ...more: readonly string[]): string[] {
  const { read, write } = neededPaths(environment, exists, "main.ts", "src", ...more);
  return [...ALWAYS, flag("read", read), ...write.length > 0 ? [flag("write", write)] : []];
}

function flag(name: string, paths: readonly string[]): string {
  return `--allow-${name}=${paths.map((path) => path.replaceAll(",", ",,")).join(",")}`;
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Returns the tables as C macros, for the launcher. */
export function header(): string {
  const list = (name: string, words: readonly string[]) =>
    `#define ${name} ${words.map((word) => JSON.stringify(word)).join(", ")}`;
  return [
    list("PRODUCT_FLAGS", ALWAYS),
    list("READ_ALWAYS", PATHS.always),
    list("FILE_VARIABLES", PATHS.files),
    list("SECRET_VARIABLES", PATHS.secrets),
    list("CREATED_VARIABLES", PATHS.created),
    list("SOCKET_VARIABLES", PATHS.sockets),
    list("SPIRE_VARIABLES", PATHS.spire),
    list("SPIRE_SOCKETS", PATHS.spireSockets),
  ].join("\n");
}
