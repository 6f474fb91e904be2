/**
 * What was built, filled in by the build. In a checkout these are the values of a development build.
 * `compile.sh` writes this file anew.
 */
export interface Build {
  readonly version: string;
  readonly gitRevision: string;
  readonly profile: "release" | "debug";
  readonly status: "Clean" | "Modified";
}

export const BUILD: Build = { version: "dev", gitRevision: "unknown", profile: "debug", status: "Modified" };
