/** Which program this is: the `version` command, the first log line, the dump (`docs/spec/config-admin.md` 1.14, 4.4). */
import type { Build } from "./build.ts";

/** Keys as the dump shows them. */
interface VersionInfo {
  readonly version: string;
  readonly gitRevision: string;
  /** Readers of the dump expect this key; the value names our runtime. */
  readonly rustVersion: string;
  readonly buildProfile: string;
  readonly buildStatus: string;
  readonly istioVersion: string;
  /** Of the build; `TLS_LIBRARY` may name another one, which the log and the dump say. */
  readonly cryptoProvider: string;
}

/** `runtime`: name and version of the runtime. `istioVersion`: as the operator set it. */
export function versionInfo(build: Build, runtime: string, istioVersion: string): VersionInfo {
  return {
    version: build.version,
    gitRevision: build.gitRevision,
    rustVersion: runtime,
    buildProfile: build.profile,
    buildStatus: build.status,
    istioVersion,
    cryptoProvider: `tls-${build.tls}`,
  };
}

/** `version.BuildInfo{Version:"…", GitRevision:"…", …}` */
export function versionText(info: VersionInfo): string {
  const fields = Object.entries(info).map(([key, value]) => `${key.charAt(0).toUpperCase()}${key.slice(1)}:"${value}"`);
  return `version.BuildInfo{${fields.join(", ")}}`;
}
