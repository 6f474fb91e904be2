/** The TLS library that images and executables contain: AWS-LC, of the sources that `tools/build_aws_lc.sh` names. */
import { output } from "./command.ts";
import type { Platform } from "./platform.ts";

const SCRIPT = new URL("../build_aws_lc.sh", import.meta.url).pathname;

/** AWS-LC as a part of an image. */
export interface TlsLibrary {
  readonly version: string;
  /** Version and SHA-256 of the crate `aws-lc-sys`, which contains the sources. */
  readonly crate: string;
  readonly sha256: string;
  readonly licenseText: string;
}

/** The library as a file for the platform, which is built unless the cache has it. */
export interface BuiltLibrary extends TlsLibrary {
  readonly path: string;
}

/** Null: BUNDLED_TLS_LIBRARY is `none`. */
export async function bundledLibrary({ machine }: Platform): Promise<BuiltLibrary | null> {
  if (Deno.env.get("BUNDLED_TLS_LIBRARY") === "none") return null;
  const base = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache`;
  const path = `${base}/ztunnel-build/libaws-lc-release-${machine}.so`;
  await output(SCRIPT, [path, machine]);
  const script = await Deno.readTextFile(SCRIPT);
  const pinned = (name: string) => new RegExp(`^${name}=(\\S+)`, "m").exec(script)![1]!;
  return {
    path,
    version: pinned("version"),
    crate: pinned("crate"),
    sha256: pinned("checksum"),
    licenseText: await Deno.readTextFile(`${path}.LICENSE`),
  };
}
