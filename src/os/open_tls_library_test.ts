import { strict as assert } from "node:assert";
import { libraryProblem, openTlsLibrary, TlsLibraryError } from "./open_tls_library.ts";

// Outside of the tests: a library stays in the process.
const system = openTlsLibrary(undefined, "");

Deno.test("the system's library is used when no path is set", () => {
  assert.match(system.version, /^OpenSSL 3\./);
  assert.equal(system.path, "libssl.so.3");
});

Deno.test("a path without a library is an error that names the path, and no other library is used", () => {
  assert.throws(() => openTlsLibrary("/nowhere/libssl.so"), (error) => {
    assert.ok(error instanceof TlsLibraryError);
    assert.match(
      error.message,
      /^no usable TLS library: .*\/nowhere\/libssl\.so.*TLS_LIBRARY must be the path.*apt-get install libssl3/s,
    );
    return true;
  });
});

Deno.test("a library of another kind is an error that names what it lacks", () => {
  assert.throws(() => openTlsLibrary("libc.so.6"), /no usable TLS library: .*(OpenSSL_version|symbol)/s);
});

Deno.test("without any library the message names the package that contains one", () => {
  const text = libraryProblem("libssl.so.3: cannot open shared object file", undefined);
  assert.match(text, /cannot open shared object file; install OpenSSL 3 \(Debian 13: apt-get install libssl3t64/);
});
