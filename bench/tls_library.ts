/** Detects the TLS library that a process has loaded, so that the report does not depend on a setting. */
import { existsSync, readFileSync } from "node:fs";
import { readSystemFile } from "../src/os/system_files.ts";

/** The path of the library that `tools/build_openssl.sh` built; null: it was not run. */
export function builtLibrary(): string | null {
  const base = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache`;
  const path = `${base}/ztunnel-build/libopenssl35.so`;
  return existsSync(path) ? path : null;
}

/** The OpenSSL version inside the library that `pid` has mapped, for example `OpenSSL 3.5.5`; null when it has none. */
export function mappedTlsLibrary(pid: number): string | null {
  const maps = readSystemFile(`/proc/${pid}/maps`);
  const paths = [...maps.matchAll(/ (\/\S*(?:libcrypto|libssl|openssl)[^\s/]*\.so[^\s/]*)$/gm)].map((match) =>
    match[1] ?? ""
  );
  for (const path of new Set(paths)) {
    const version = versionIn(path);
    if (version !== null) return version;
  }
  return null;
}

/** The text that `OpenSSL_version()` returns is a constant of libcrypto. */
function versionIn(path: string): string | null {
  const match = /OpenSSL \d+\.\d+\.\d+[^\s\0]* \d+ \w{3} \d{4}/.exec(readFileSync(path, "latin1"));
  return match === null ? null : match[0].split(" ").slice(0, 2).join(" ");
}
