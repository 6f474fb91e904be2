/**
 * Modules of the runtime that are loaded when they are first used. `node:crypto` and `node:process` take 10 to 15 ms of
 * CPU in every isolate that imports them, which is a fifth of a worker's start (`docs/spec/dataplane-speed.md`).
 */

/** Returns `node:crypto`. The first call in an isolate loads it; later calls cost nothing. */
export function loadNodeCrypto(): typeof import("node:crypto") {
  return builtin("node:crypto");
}

/** Returns `node:inspector`; an isolate that has loaded it holds 1.5 MB of it. */
export function loadNodeInspector(): typeof import("node:inspector") {
  return builtin("node:inspector");
}

/** An `import()` would settle later, and in a worker no promise settles during a turn. */
function builtin<T>(name: string): T {
  // deno-lint-ignore no-process-global -- the import of `node:process` is what this avoids
  return process.getBuiltinModule(name) as T;
}
