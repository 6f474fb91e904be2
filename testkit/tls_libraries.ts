/** The TLS libraries that tests use beside the one of `TLS_LIBRARY`. */
import type { Lack } from "../lab/needs.ts";
import { openTlsLibrary } from "../src/os/open_tls_library.ts";
import type { TlsLibrary } from "../src/os/tls_library.ts";

const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`;

/** A library, or what is missing for it. */
export type TestedLibrary = { readonly library: TlsLibrary } | { readonly lack: Lack };

/** Libraries stay in the process: open one outside of tests. Throws where it is there and cannot be used. */
function opened(name: string, path: string, lack: Omit<Lack, "reason">): TestedLibrary {
  try {
    return { library: openTlsLibrary(path) };
  } catch (error) {
    const isMissing = error instanceof Error && error.message.includes("cannot open shared object file");
    if (!isMissing) throw error;
    return { lack: { reason: `${name} is missing`, ...lack } };
  }
}

/** OpenSSL 3.0 or whatever the system has. */
export const systemOpenSsl = () =>
  opened("the system's OpenSSL", "libssl.so.3", { cure: "apt-get install libssl3", duty: true });

/** What `tools/build_openssl.sh` has built. */
export const openSsl35 = () =>
  opened("OpenSSL 3.5", `${cache}/ztunnel-build/libopenssl35.so`, { cure: "tools/build_openssl.sh", duty: false });

/** What `tools/build_aws_lc.sh` has built. */
export const awsLc = () =>
  opened("AWS-LC", `${cache}/ztunnel-build/libaws-lc.so`, { cure: "tools/build_aws_lc.sh", duty: false });

/** That of Android, as Debian has it. */
export const boringSsl = () =>
  opened("BoringSSL", `/usr/lib/${Deno.build.arch}-linux-gnu/android/libssl.so.0`, {
    cure: "apt-get install android-libboringssl",
    duty: true,
  });

/** An OpenSSL: 3.5 where it was built, else the system's. */
export function anyOpenSsl(): TlsLibrary {
  const built = openSsl35();
  return "library" in built ? built.library : openTlsLibrary();
}
