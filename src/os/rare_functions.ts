/**
 * Foreign functions that are called rarely. For each function of `Deno.dlopen` the runtime compiles a trampoline, 0.1 to
 * 0.2 ms of CPU in every isolate; a call through a pointer takes 1 us where one by a trampoline takes 0.01 us, and needs
 * nothing to be compiled.
 */
type Functions = Readonly<Record<string, Deno.ForeignFunction>>;

/** Returns these functions of the library at `path`. Throws the system's error where the file or one of them is missing. */
export function openRarely<const T extends Functions>(path: string, functions: T): Deno.DynamicLibrary<T>["symbols"] {
  const entries = Object.entries(functions);
  const addresses = Object.fromEntries(
    entries.map(([name, { optional = false }]) => [name, { type: "pointer", optional } as const]),
  );
  const { symbols } = Deno.dlopen(path, addresses);
  const callable = entries.map(([name, definition]) => [name, caller(symbols[name] ?? null, definition)] as const);
  return Object.fromEntries(callable) as Deno.DynamicLibrary<T>["symbols"];
}

/** The same; functions that are not in `rarely` get a trampoline. */
export function openMixed<const T extends Functions>(
  path: string,
  functions: T,
  rarely: ReadonlySet<string>,
): Deno.DynamicLibrary<T>["symbols"] {
  const some = (rare: boolean) => Object.entries(functions).filter(([name]) => rarely.has(name) === rare);
  const often = Deno.dlopen(path, Object.fromEntries(some(false))).symbols;
  return { ...often, ...openRarely(path, Object.fromEntries(some(true))) } as Deno.DynamicLibrary<T>["symbols"];
}

/** Null: the library does not have the function, which is optional. */
function caller(address: Deno.PointerValue, definition: Deno.ForeignFunction) {
  if (address === null) return null;
  const pointer = new Deno.UnsafeFnPointer(address as Deno.PointerObject<Deno.ForeignFunction>, definition);
  return (...values: never[]) => pointer.call(...values);
}
