/**
 * libc through FFI. Lengths are u32 and results i32: calls with these types take the runtime's fast path
 * (`docs/spec/deno-notes.md` 5.1). Each isolate has its own instance and its own thread, and errno belongs to the thread.
 *
 * The runtime compiles a trampoline for each function: 0.1 to 0.2 ms of CPU in every isolate, at every start. So this
 * file has what every isolate needs, `libc_sockets.ts` what the data path needs, and modules that call a function rarely
 * open it themselves, without a trampoline (`rare_functions.ts`).
 */

export const LIBC = "libc.so.6";

/** Returns these functions. To be called while a module loads, so that they are there before any request. */
export function openLibc<const T extends Deno.ForeignLibraryInterface>(
  functions: T,
): Deno.DynamicLibrary<T>["symbols"] {
  return Deno.dlopen(LIBC, functions).symbols;
}

/** Functions on descriptors of any kind. Results below zero mean failure; {@link errno} then says why. */
export const libc = openLibc({
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  read: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  open: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  poll: { parameters: ["buffer", "u32", "i32"], result: "i32" },
  __errno_location: { parameters: [], result: "pointer" },
});

const errnoCell = new Deno.UnsafePointerView(libc.__errno_location()!);

/** errno of this thread. Read it right after the failing call; it is undefined after a non-blocking FFI call. */
export function errno(): number {
  return errnoCell.getInt32();
}

/** A NUL-terminated copy for a `const char *` argument. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text + "\0") as Uint8Array<ArrayBuffer>;
}

/** The text behind a `const char *`; empty for NULL. */
export function readCString(pointer: Deno.PointerValue): string {
  return pointer === null ? "" : new Deno.UnsafePointerView(pointer).getCString();
}

/** An int in memory, for option values and in/out lengths. */
export function intCell(value = 0): { readonly bytes: Uint8Array<ArrayBuffer>; value: number } {
  const words = new Int32Array([value]);
  return {
    bytes: new Uint8Array(words.buffer),
    get value() {
      return words[0]!;
    },
    set value(next: number) {
      words[0] = next;
    },
  };
}
