/**
 * The configuration of one process: everything that the environment, the mesh file and the resolver file say, parsed
 * once by `parse_config.ts` into plain frozen data. It can be sent to a worker as it is.
 *
 * Names follow this project's terms; `config_dump.ts` gives the names that operators know from dumps. Durations are
 * milliseconds, sizes bytes. Sources: `docs/spec/config-admin.md` 1.
 */
import type { SocketAddress } from "../net/address.ts";
import type { Millis } from "../net/clock.ts";
import type { AccessLines } from "./access_lines.ts";
import type { OtlpSettings } from "./otlp_settings.ts";
import type { ResolverSettings } from "./resolver_settings.ts";
import type { SpireSettings } from "./spire_settings.ts";

/** `PROXY_MODE`: many pods driven by the CNI agent, or one workload with listeners in the process's own namespace. */
export type ProxyMode = "shared" | "dedicated";

/** A workload named by an operator. */
export interface WorkloadName {
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** Where a server of the process itself listens: loopback (`::1` too where `ipv6`), or one address. */
export type ServerAddress =
  | { readonly kind: "localhost"; readonly ipv6: boolean; readonly port: number }
  | { readonly kind: "address"; readonly address: SocketAddress };

/** Trust for the control plane: a PEM file read when needed, the system's store, or PEM text. */
export type RootCertificates =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "system" }
  | { readonly kind: "pem"; readonly pem: string };

/** The bearer token of control-plane calls: read from a file for each call, or given. Never logged. */
export type TokenSource =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "literal"; readonly token: string };

/** Where the static state comes from. */
export type LocalState =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "inline"; readonly yaml: string };

export type Header = readonly [name: string, value: string];

/** A control-plane service, XDS or CA. */
interface ControlPlaneSettings {
  /** `https://host:port`, or for XDS `unix:///path`; null: not used. */
  readonly address: string | null;
  readonly roots: RootCertificates;
  /** The server may present this name instead of the address's host. */
  readonly alternativeHostname: string | null;
  /** Sent with each call. Values may be secret: never logged, but dumped. */
  readonly headers: readonly Header[];
}

/** Where workloads, services and policies come from. */
export interface XdsSettings extends ControlPlaneSettings {
  readonly onDemand: boolean;
  readonly local: LocalState | null;
  /** `ISTIO_METAJSON_*`, added to the node's metadata last. */
  readonly jsonMetadata: Readonly<Record<string, unknown>>;
}

/** Istio's certificate authority, or the one inside the proxy. */
export interface CaSettings extends ControlPlaneSettings {
  /** `FAKE_CA`: certificates from a CA of our own; wins over SPIRE. */
  readonly fake: boolean;
  /** Paths of `LOCAL_CA_CERT` and `LOCAL_CA_KEY`, the files of that CA; null: one made at start. */
  readonly localFiles: { readonly certificate: string; readonly key: string } | null;
  /** Asked for in whole seconds. */
  readonly secretTtl: Millis;
}

/** The addresses on which the proxy and its servers listen. */
export interface ListenerSettings {
  readonly outbound: SocketAddress;
  readonly inbound: SocketAddress;
  readonly inboundPlaintext: SocketAddress;
  /** Null unless `UNSTABLE_ENABLE_SOCKS5=true`. */
  readonly socks5: SocketAddress | null;
  readonly dns: ServerAddress;
  readonly admin: ServerAddress;
  readonly stats: ServerAddress;
  readonly readiness: ServerAddress;
}

interface KeepaliveSettings {
  readonly enabled: boolean;
  readonly time: Millis;
  readonly interval: Millis;
  readonly retries: number;
}

/** Options of the sockets that carry traffic. */
export interface SocketSettings {
  /** SO_MARK; null: none. */
  readonly mark: number | null;
  /** True: IP_TRANSPARENT must work. False: never. Null: tried, and used where it works. */
  readonly originalSource: boolean | null;
  readonly keepalive: KeepaliveSettings;
  /** TCP_USER_TIMEOUT; null: the kernel's. */
  readonly userTimeout: Millis | null;
  /** `CONNECT_TIMEOUT`: for dials of other workloads and of destinations outside of the mesh. */
  readonly connectTimeout: Millis;
  /** After which half-closed connections that move no bytes are closed; 0: never. */
  readonly halfClosedTimeout: Millis;
}

/** HBONE connections: windows, bounds, and the pool of outbound connections. Sizes are bytes. */
export interface Http2Settings {
  readonly streamWindow: number;
  readonly connectionWindow: number;
  readonly maxFrameSize: number;
  /** `HELD_BYTES_MAX`: most received bytes that applications have not read, of all connections of a worker. */
  readonly heldBytesMax: number;
  /** Streams on one pooled connection; at least 1. */
  readonly maxStreamsPerConnection: number;
  /** How long a pooled connection may stay unused. */
  readonly unusedReleaseTimeout: Millis;
}

/** TLS of the mesh: versions, compliance policy, library, revocation. */
export interface TlsPolicy {
  /** TLS 1.2 besides 1.3. */
  readonly tls12: boolean;
  /** `COMPLIANCE_POLICY=pqc`: X25519MLKEM768 is the only group. */
  readonly postQuantumOnly: boolean;
  /** `COMPLIANCE_POLICY=fips-140-2` or `fips-140-3`: approved algorithms of a FIPS module, nothing else. */
  readonly fips: boolean;
  /** Path of the TLS library; null: the bundled one, else the system's. */
  readonly library: string | null;
  /** Path of the revocation list; null: no revocation checks. */
  readonly crlPath: string | null;
}

/** Bounds on the number of traffic series in each worker (`telemetry/traffic_metrics.ts`). */
export interface MetricsSettings {
  readonly all: number;
  /** `METRICS_DERIVED_SERIES_MAX`: most series whose labels peers chose by their baggage. */
  readonly derived: number;
  readonly derivedPerIdentity: number;
  /** `METRICS_SERIES_EXPIRY`; 0: series never expire. */
  readonly expiry: Millis;
}

/** The log: which lines, and in which format. */
export interface LogSettings {
  /** `RUST_LOG`, not parsed. */
  readonly filter: string;
  readonly format: "plain" | "json";
  readonly access: AccessLines;
  /** Authorization decisions at info instead of debug. */
  readonly authorizationAtInfo: boolean;
}

/** The node, and the pod in which the proxy itself runs. */
export interface NodeSettings {
  /** Limits certificate prefetch and the index of local identities; null: all nodes. */
  readonly name: string | null;
  readonly network: string;
  readonly clusterId: string;
  readonly clusterDomain: string;
  readonly instanceIp: string;
  /** `POD_NAME`, `POD_NAMESPACE`: of the proxy's own pod. */
  readonly podName: string | null;
  readonly podNamespace: string | null;
  /** The proxy's own workload: all of `POD_NAME`, `POD_NAMESPACE`, `SERVICE_ACCOUNT` are set. */
  readonly self: WorkloadName | null;
  /** Trust domain of {@link NodeSettings.self}, and the one that {@link trustDomainAliases} stand for. */
  readonly trustDomain: string;
  /** Former or other names of the trust domain. A peer with one of them counts as a member of the trust domain. */
  readonly trustDomainAliases: readonly string[];
  readonly preferredServiceNamespace: string | null;
}

/** Everything that a process is configured with. Plain frozen data. */
export interface Config {
  readonly mode: ProxyMode;
  readonly proxyEnabled: boolean;
  readonly dnsEnabled: boolean;
  /** Dedicated mode: the one workload. */
  readonly workload: WorkloadName | null;
  readonly node: NodeSettings;
  readonly listeners: ListenerSettings;
  readonly sockets: SocketSettings;
  readonly http2: Http2Settings;
  readonly tls: TlsPolicy;
  readonly xds: XdsSettings;
  readonly ca: CaSettings;
  readonly token: TokenSource | null;
  /** `AUTHORITY_WAIT`: shared mode; the longest that pods wait for the first answer of the certificate authority. */
  readonly authorityWait: Millis;
  readonly spire: SpireSettings;
  readonly inpod: { readonly socketPath: string; readonly reusePort: boolean };
  readonly resolver: ResolverSettings;
  readonly ipv6: boolean;
  /**
   * `UNKNOWN_POLICIES`: a call to a workload that names a policy which has not come yet is denied until it comes, or
   * the policy is skipped, as in the Rust ztunnel.
   */
  readonly unknownPolicies: "deny" | "skip";
  readonly localhostAppTunnel: boolean;
  readonly responseBaggage: boolean;
  /** How long connections may go on after a stop was asked for. */
  readonly drainDeadline: Millis;
  /** Debuggers may attach and crashes leave core files. Both expose private keys. */
  readonly debuggable: boolean;
  readonly workerThreads: number;
  readonly log: LogSettings;
  readonly metrics: MetricsSettings;
  /** Access logs and spans by OTLP; null: none is exported. */
  readonly otlp: OtlpSettings | null;
  readonly istioVersion: string;
  /** Proxy metadata without the `ISTIO_META_` prefix. */
  readonly proxyMetadata: Readonly<Record<string, string>>;
  /** Command line after the program, for the dump. */
  readonly proxyArguments: string;
  /** To be logged as warnings once a log exists. */
  readonly warnings: readonly string[];
}
