/**
 * Environment and files → {@link Config}. Nothing is read later except what `Config` names as a file.
 *
 * Checks run in the order of `docs/spec/config-admin.md` 7.2 (3), so that of several mistakes the same one is
 * reported as by the Rust ztunnel.
 */
import { parseAccessFields, parseAccessMode, parseSample } from "./access_lines.ts";
import { networkAddresses } from "./addresses.ts";
import { BUILD } from "./build.ts";
import { complianceWarnings } from "./compliance.ts";
import type { Config, LogSettings, MetricsSettings, NodeSettings, WorkloadName } from "./config.ts";
import { controlPlane, parseToken } from "./control_plane.ts";
import { memoryLimit } from "./memory_limit.ts";
import { http2Settings, listenerSettings, socketSettings, tlsPolicy } from "./data_plane.ts";
import { MESH_FILE } from "./default_paths.ts";
import { Environment, type Variables } from "./environment.ts";
import { ConfigError, invalidConfiguration, invalidProxyConfig } from "./error.ts";
import type { ConfigFiles } from "./files.ts";
import { metadataText, type ProxyConfig, readProxyConfig } from "./proxy_config.ts";
import { parseResolverFile, type ResolverSettings } from "./resolver_settings.ts";
import { otlpSettings } from "./otlp_settings.ts";
import { missingMeshWarnings } from "./missing_mesh.ts";
import { misspellingWarnings } from "./misspellings.ts";
import { type Parsed, parsed, refused } from "./scalars.ts";
import { spireSettings } from "./spire_settings.ts";
import { workerThreads } from "./worker_threads.ts";

const RESOLVER_FILE = "/etc/resolv.conf";
const DRAIN_DEADLINE = 5_000;
const FAKE_CA_WARNING = "FAKE_CA=true: certificates come from this process's own authority, for any identity that is " +
  "asked for; it is for tests and demos, unset it in a cluster";
const OTEL_DENO_WARNING = "OTEL_DENO is set: the runtime exports what it does itself, such as each request of the " +
  "OTLP export, to the same collector; unset it, as the proxy exports connections without it";
/** Exit code of a Rust ztunnel that panics. */
const PANIC = 101;

/**
 * `variables`: of the process. `cpus`: as the runtime sees them. `programArguments`: after the program, for the dump.
 * Throws {@link ConfigError} with the text to show.
 */
export function parseConfig(
  variables: Variables,
  files: ConfigFiles,
  cpus: number,
  programArguments: readonly string[] = [],
): Config {
  const environment = new Environment(variables);
  const mesh = readProxyConfig(environment, () => files.read(MESH_FILE));
  const addresses = networkAddresses(environment, files);
  const warnings = [...addresses.warnings];
  const { xds, ca } = controlPlane(environment, files, mesh, (text) => warnings.push(text));
  const token = parseToken(environment, files);
  const resolver = readResolver(files);
  const dnsEnabled = metadataText(mesh, "ISTIO_META_DNS_CAPTURE").toLowerCase() === "true";
  const listeners = listenerSettings(environment, mesh, addresses);
  const mode = environment.parse("PROXY_MODE", parseMode);
  const workload = mode === "dedicated" ? dedicatedWorkload(environment) : null;
  const workers = workerThreads(environment, cpus, mesh.concurrency);
  const config: Config = {
    mode,
    proxyEnabled: environment.bool("ENABLE_PROXY"),
    dnsEnabled,
    workload,
    node: nodeSettings(environment, mesh),
    listeners,
    sockets: socketSettings(environment, mode),
    http2: http2Settings(environment, memoryLimit(files), workers),
    tls: tlsPolicy(environment),
    xds: xds(),
    ca: ca(),
    token,
    authorityWait: environment.duration("AUTHORITY_WAIT"),
    spire: spireSettings(environment, mode === "shared"),
    inpod: {
      socketPath: environment.text("INPOD_UDS"),
      reusePort: environment.bool("INPOD_PORT_REUSE"),
    },
    resolver,
    ipv6: addresses.ipv6,
    unknownPolicies: environment.parse("UNKNOWN_POLICIES", parseUnknownPolicies),
    localhostAppTunnel: environment.bool("LOCALHOST_APP_TUNNEL"),
    responseBaggage: environment.bool("ENABLE_RESPONSE_BAGGAGE"),
    drainDeadline: drainDeadline(environment),
    debuggable: environment.bool("ZTUNNEL_DEBUGGABLE"),
    workerThreads: workers,
    log: logSettings(environment),
    metrics: metricsSettings(environment),
    otlp: otlpSettings(environment, BUILD.version),
    istioVersion: environment.text("ISTIO_META_ISTIO_VERSION"),
    proxyMetadata: mesh.metadata,
    proxyArguments: programArguments.join(" "),
    warnings,
  };
  crossCheck(config);
  warnings.push(...complianceWarnings(environment, config));
  if (config.ca.fake) warnings.push(FAKE_CA_WARNING);
  if (variables["OTEL_DENO"] !== undefined) warnings.push(OTEL_DENO_WARNING);
  warnings.push(...misspellingWarnings(variables), ...missingMeshWarnings(environment, mesh));
  return deepFreeze(config);
}

function readResolver(files: ConfigFiles): ResolverSettings {
  const text = readOrNull(files, RESOLVER_FILE);
  if (text === null) throw new ConfigError(`failed to read ${RESOLVER_FILE}: it is missing or unreadable`, PANIC);
  const resolver = parseResolverFile(text);
  if (resolver.nameservers.length === 0) {
    throw new ConfigError(`failed to read ${RESOLVER_FILE}: there is no nameserver line in it`, PANIC);
  }
  return resolver;
}

function readOrNull(files: ConfigFiles, path: string): string | null {
  try {
    return files.read(path);
  } catch {
    return null;
  }
}

function parseMode(text: string): Parsed<"shared" | "dedicated"> {
  if (text === "shared" || text === "dedicated") return parsed(text);
  return refused("PROXY_MODE must be one of dedicated, shared");
}

function parseUnknownPolicies(text: string): Parsed<"deny" | "skip"> {
  if (text === "deny" || text === "skip") return parsed(text);
  return refused("it must be deny or skip");
}

function dedicatedWorkload(environment: Environment): WorkloadName {
  const text = environment.text("PROXY_WORKLOAD_INFO");
  if (text === null) throw invalidConfiguration("PROXY_MODE=dedicated requires PROXY_WORKLOAD_INFO to be set");
  const [namespace, name, ...account] = text.split("/");
  if (namespace === undefined || name === undefined || account.length === 0) {
    const got = JSON.stringify(text.split("/")).replaceAll('","', '", "');
    throw invalidConfiguration(
      `PROXY_WORKLOAD_INFO must match the format 'namespace/name/service-account' (got ${got})`,
    );
  }
  return { name, namespace, serviceAccount: account.join("/") };
}

function nodeSettings(environment: Environment, mesh: ProxyConfig): NodeSettings {
  const podName = environment.text("POD_NAME");
  const podNamespace = environment.text("POD_NAMESPACE");
  const serviceAccount = environment.text("SERVICE_ACCOUNT");
  const known = podName !== null && podNamespace !== null && serviceAccount !== null;
  return {
    name: environment.text("NODE_NAME"),
    network: environment.text("NETWORK"),
    clusterId: environment.text("ISTIO_META_CLUSTER_ID") ?? environment.text("CLUSTER_ID"),
    clusterDomain: environment.text("CLUSTER_DOMAIN"),
    instanceIp: environment.text("INSTANCE_IP"),
    podName,
    podNamespace,
    self: known ? { name: podName, namespace: podNamespace, serviceAccount } : null,
    trustDomain: environment.text("TRUST_DOMAIN"),
    trustDomainAliases: trustDomainAliases(environment.text("TRUST_DOMAIN_ALIASES")) ?? mesh.trustDomainAliases,
    preferredServiceNamespace: environment.text("PREFERED_SERVICE_NAMESPACE"),
  };
}

/** `old.example, older.example` */
function trustDomainAliases(text: string | null): string[] | null {
  return text?.split(",").map((name) => name.trim()).filter((name) => name !== "") ?? null;
}

function drainDeadline(environment: Environment): number {
  const deadline = environment.duration("CONNECTION_TERMINATION_DEADLINE");
  const grace = environment.u64("TERMINATION_GRACE_PERIOD_SECONDS");
  if (deadline !== null) return deadline;
  if (grace === null) return DRAIN_DEADLINE;
  return (grace > 10 ? grace - 5 : Math.max(grace - 1, 1)) * 1000;
}

function logSettings(environment: Environment): LogSettings {
  return {
    filter: environment.text("RUST_LOG"),
    format: environment.flag("LOG_FORMAT", "json") ? "json" : "plain",
    access: {
      mode: environment.parse("ACCESS_LOG", parseAccessMode),
      sample: environment.parse("ACCESS_LOG_SAMPLE", parseSample),
      fields: environment.parse("ACCESS_LOG_FIELDS", parseAccessFields),
    },
    authorizationAtInfo: environment.flag("AUTHZ_POLICY_INFO_LOGGING", "true"),
  };
}

function metricsSettings(environment: Environment): MetricsSettings {
  return {
    all: 50_000,
    derived: environment.u64("METRICS_DERIVED_SERIES_MAX"),
    derivedPerIdentity: 100,
    expiry: environment.duration("METRICS_SERIES_EXPIRY"),
  };
}

function crossCheck(config: Config) {
  if (!config.proxyEnabled && !config.dnsEnabled) throw invalidProxyConfig("ztunnel run without any servers enabled");
  if (config.xds.onDemand && config.dnsEnabled) {
    throw invalidProxyConfig("DNS proxy does not currently support on-demand mode");
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const child of Object.values(value)) deepFreeze(child);
  return Object.freeze(value);
}
