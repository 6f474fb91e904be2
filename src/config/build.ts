/** What was built. `compile.sh` replaces the words between the at signs; a checkout is a development build. */
export interface Build {
  readonly version: string;
  readonly gitRevision: string;
  readonly profile: "release" | "debug";
  readonly status: "Clean" | "Modified";
}

function stamped(word: string, otherwise: string): string {
  return word.startsWith("@") ? otherwise : word;
}

const version = stamped("@ZTUNNEL_VERSION@", "dev");

export const BUILD: Build = {
  version,
  gitRevision: stamped("@ZTUNNEL_REVISION@", "unknown"),
  profile: version === "dev" ? "debug" : "release",
  status: stamped("@ZTUNNEL_STATUS@", "Modified") === "Clean" ? "Clean" : "Modified",
};
