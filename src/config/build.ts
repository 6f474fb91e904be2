/** What was built. `compile.sh` replaces the words between the at signs; a checkout is a development build. */
export interface Build {
  readonly version: string;
  readonly gitRevision: string;
  readonly profile: "release" | "debug";
  readonly status: "Clean" | "Modified";
  /** The kind of TLS library that the build contains, such as `aws-lc`; without one it uses the system's OpenSSL. */
  readonly tls: string;
}

function stamped(word: string, otherwise: string): string {
  return word.startsWith("@") ? otherwise : word;
}

/** The version of this source: that of `deno.json`, which a bundle does not contain (`tools/release_test.ts`). */
export const SOURCE_VERSION = "1.0.0";

const version = stamped("@ZTUNNEL_VERSION@", "");

export const BUILD: Build = {
  version: version || `${SOURCE_VERSION}-dev`,
  gitRevision: stamped("@ZTUNNEL_REVISION@", "unknown"),
  profile: version === "" ? "debug" : "release",
  status: stamped("@ZTUNNEL_STATUS@", "Modified") === "Clean" ? "Clean" : "Modified",
  tls: stamped("@ZTUNNEL_TLS@", "openssl"),
};
