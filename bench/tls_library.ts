/** TLS libraries: those that were built, and the one that a process has loaded, so that no setting is believed. */
import { existsSync, readFileSync } from "node:fs";
import { readSystemFile } from "../src/os/system_files.ts";

/** A library that a script builds. */
interface BuildableLibrary {
  readonly name: string;
  readonly script: string;
  readonly file: string;
}

/** What the proxies are measured with beside the system's library. Peers always use the first one. */
export const OPENSSL: BuildableLibrary = {
  name: "OpenSSL 3.5",
  script: "tools/build_openssl.sh",
  file: "libopenssl35.so",
};
export const AWS_LC: BuildableLibrary = { name: "AWS-LC", script: "tools/build_aws_lc.sh", file: "libaws-lc.so" };

/** The path of the library; null: its script was not run. */
export function builtLibrary({ file }: BuildableLibrary): string | null {
  const base = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache`;
  const path = `${base}/ztunnel-build/${file}`;
  return existsSync(path) ? path : null;
}

/** The version of the library that `pid` has mapped, for example `OpenSSL 3.5.5`; null when it has none. */
export function mappedTlsLibrary(pid: number): string | null {
  const maps = readSystemFile(`/proc/${pid}/maps`);
  const paths = [...maps.matchAll(/ (\/\S*(?:libcrypto|libssl|openssl|aws-lc)[^\s/]*\.so[^\s/]*)$/gm)].map((match) =>
    match[1] ?? ""
  );
  for (const path of new Set(paths)) {
    const version = versionIn(readFileSync(path, "latin1"));
    if (version !== null) return version;
  }
  return null;
}

/** `library`: its bytes as text. What `OpenSSL_version()` returns is a constant in it. */
export function versionIn(library: string): string | null {
  const match = /AWS-LC \d+\.\d+\.\d+|OpenSSL \d+\.\d+\.\d+[^\s\0]* \d+ \w{3} \d{4}/.exec(library);
  return match === null ? null : match[0].split(" ").slice(0, 2).join(" ");
}
