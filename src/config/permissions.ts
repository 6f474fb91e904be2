/**
 * The permissions of the runtime that the proxy needs. These tables are used by the flags of `deno task start`, of
 * tests and benchmarks (`lab/product_flags.ts`), by the executable (`tools/launcher`), and by the check at the start.
 */
import type { SettingName } from "./catalogue/settings.ts";
import { MESH_FILE } from "./default_paths.ts";

/** The flags without paths, and the feature that needs each. System calls through libc need none. */
export const FLAGS = {
  "--allow-env": "the configuration is the environment",
  "--allow-ffi": "libc and the TLS library are called directly",
  "--allow-net": "the control plane and the ports for admin, metrics and readiness are the runtime's own sockets",
  // The profiler needs the kind "inspector", which the flag does not accept: all kinds are allowed or none.
  "--allow-sys": "profiles of the admin port come from the runtime's profiler",
} as const;

/** The settings that paths are taken from. Names are those of environment variables. */
export const PATHS = {
  /** Files that are read with any settings. */
  always: [
    MESH_FILE,
    "./var/run/secrets/istio",
    "./var/run/secrets/tokens",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/ssl",
    "/etc/pki",
  ],
  /** A file to read, which may appear later. */
  files: [
    "XDS_ROOT_CA",
    "CA_ROOT_CA",
    "CRL_PATH",
    "LOCAL_XDS_PATH",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY",
    "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY",
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
  ] satisfies SettingName[],
  /** A file to read if it exists. Otherwise the value is a secret, which must not appear on a command line. */
  secrets: ["AUTH_TOKEN"] satisfies SettingName[],
  /** A file that is written, by renaming a temporary file in the same folder. */
  created: ["LOCAL_CA_CERT", "LOCAL_CA_KEY"] satisfies SettingName[],
  /** A Unix socket, as `unix:///path`, `unix:/path` or a bare path. The runtime requires read and write permission. */
  sockets: [
    "XDS_ADDRESS",
    "CA_ADDRESS",
    "SPIRE_ADMIN_ENDPOINT_SOCKET",
    "SPIFFE_BROKER_SOCKET",
    "SPIFFE_BROKER_WORKLOAD_API_SOCKET",
    "SPIFFE_ENDPOINT_SOCKET",
    "CONTAINER_RUNTIME_SOCK_PATH",
  ] satisfies SettingName[],
  /** Where one of these is set, {@link PATHS.spireSockets} are used unless the variables above name other paths. */
  spire: ["SPIRE_ENABLED", "USE_SPIRE", "CA_PROVIDER"] satisfies SettingName[],
  spireSockets: [
    "/run/spire/sockets/admin.sock",
    "/run/containerd/containerd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/var/run/cri-dockerd.sock",
  ],
} as const;

/** The paths of `--allow-read` and `--allow-write`. */
export interface NeededPaths {
  readonly read: readonly string[];
  readonly write: readonly string[];
}

/** `programs`: files or folders of the program itself, from which its workers are loaded. */
export function neededPaths(
  environment: Readonly<Record<string, string>>,
  exists: (path: string) => boolean,
  ...programs: readonly string[]
): NeededPaths {
  const values = (names: readonly string[]) =>
    names.map((name) => environment[name] ?? "").filter((text) => text !== "");
  const files = values(PATHS.files).filter((text) => text.startsWith("/") || exists(text));
  const secrets = values(PATHS.secrets).filter(exists);
  const sockets = values(PATHS.sockets).map((text) => text.replace(/^unix:(\/\/)?/, "")).filter((text) =>
    text.startsWith("/")
  );
  if (values(PATHS.spire).length > 0) sockets.push(...PATHS.spireSockets);
  const both = [...values(PATHS.created).map(folderOf), ...sockets];
  return {
    read: [...new Set([...programs, ...PATHS.always, ...files, ...secrets, ...both])],
    write: [...new Set(both)],
  };
}

function folderOf(path: string): string {
  const end = path.lastIndexOf("/");
  return end < 0 ? "." : path.slice(0, Math.max(end, 1));
}
