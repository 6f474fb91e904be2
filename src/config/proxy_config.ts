/**
 * The proxy configuration of a mesh: `defaultConfig` of the mesh file, then `PROXY_CONFIG`, then `ISTIO_META_*`
 * (`docs/spec/config-admin.md` 1.9). `proxyMetadata` may be missing, which the Rust ztunnel refuses.
 */
import { parse as parseYaml } from "yaml";
import { METADATA } from "./catalogue/network.ts";
import { MESH_FILE } from "./default_paths.ts";
import type { Environment } from "./environment.ts";
import { invalidProxyConfig } from "./error.ts";
import { U16_MAX } from "./scalars.ts";

const META_PREFIX = "ISTIO_META_";

/** What is used of Istio's mesh file and `ProxyConfig`. Null: the key is not set. */
export interface ProxyConfig {
  readonly discoveryAddress: string | null;
  readonly adminPort: number | null;
  readonly statsPort: number | null;
  readonly concurrency: number | null;
  /** Of the mesh file. */
  readonly trustDomainAliases: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** `meshFile`: its text, null where there is none. Throws {@link ConfigError}. */
export function readProxyConfig(environment: Environment, meshFile: () => string | null): ProxyConfig {
  const mesh = explain(`failed parsing mesh config file ${MESH_FILE}`, () => fromMeshFile(meshFile()));
  const own = explain("failed parsing proxy config env", () => fromText(environment.text("PROXY_CONFIG")));
  return {
    discoveryAddress: own.discoveryAddress ?? mesh.discoveryAddress,
    adminPort: own.adminPort ?? mesh.adminPort,
    statsPort: own.statsPort ?? mesh.statsPort,
    concurrency: own.concurrency ?? mesh.concurrency,
    trustDomainAliases: mesh.trustDomainAliases,
    metadata: { ...unprefixed({ ...mesh.metadata, ...own.metadata }), ...metadataOf(environment) },
  };
}

function explain<T>(context: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw invalidProxyConfig(`${context}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const EMPTY: ProxyConfig = {
  discoveryAddress: null,
  adminPort: null,
  statsPort: null,
  concurrency: null,
  trustDomainAliases: [],
  metadata: {},
};

function fromMeshFile(text: string | null): ProxyConfig {
  if (text === null) return EMPTY;
  const mesh: unknown = parseYaml(text);
  if (mesh === null) return EMPTY;
  const fields = object(mesh, "the mesh configuration");
  return {
    ...fromValue(fields["defaultConfig"]),
    trustDomainAliases: optional(fields, "trustDomainAliases", list) ?? [],
  };
}

function fromText(text: string | null): ProxyConfig {
  return text === null || text === "" ? EMPTY : fromValue(parseYaml(text));
}

function fromValue(value: unknown): ProxyConfig {
  if (value === null || value === undefined) return EMPTY;
  const fields = object(value, "the proxy configuration");
  return {
    discoveryAddress: optional(fields, "discoveryAddress", text),
    adminPort: optional(fields, "proxyAdminPort", port),
    statsPort: optional(fields, "statsPort", port),
    concurrency: optional(fields, "concurrency", port),
    trustDomainAliases: [],
    metadata: optional(fields, "proxyMetadata", texts) ?? {},
  };
}

function object(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${name} must be a map`);
  return value as Record<string, unknown>;
}

function optional<T>(fields: Record<string, unknown>, key: string, read: (value: unknown, key: string) => T): T | null {
  const value = fields[key];
  return value === undefined || value === null ? null : read(value, key);
}

function text(value: unknown, key: string): string {
  if (typeof value === "object") throw new Error(`${key}: invalid type, expected a string`);
  return String(value);
}

function port(value: unknown, key: string): number {
  const whole = typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= U16_MAX;
  if (!whole) throw new Error(`${key}: invalid value ${JSON.stringify(value)}, expected a number from 0 to ${U16_MAX}`);
  return value;
}

function list(value: unknown, key: string): string[] {
  if (!Array.isArray(value)) throw new Error(`${key}: invalid type, expected a list`);
  return value.map((item, i) => text(item, `${key}[${i}]`));
}

function texts(value: unknown, key: string): Record<string, string> {
  const entries = Object.entries(object(value, key));
  return Object.fromEntries(entries.map(([name, item]) => [name, text(item, `${key}.${name}`)]));
}

/** One leading prefix is removed from keys of files; keys without it stay. */
function unprefixed(metadata: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(metadata).map(([k, v]) => [k.startsWith(META_PREFIX) ? k.slice(META_PREFIX.length) : k, v]),
  );
}

/** Metadata that the proxy uses itself. */
export function metadataText(mesh: ProxyConfig, name: keyof typeof METADATA): string {
  return mesh.metadata[name.slice(META_PREFIX.length)] ?? METADATA[name].fallback;
}

/** All repeated prefixes are removed from environment variables. */
function metadataOf(environment: Environment): Record<string, string> {
  const found = environment.withPrefix(META_PREFIX);
  return Object.fromEntries(found.map(({ rest, value }) => [rest.replace(/^(?:ISTIO_META_)+/, ""), value]));
}
