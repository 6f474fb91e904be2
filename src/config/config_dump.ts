/**
 * The configuration under the names that operators and tools know, in the order in which the Rust ztunnel declares
 * them (`docs/spec/config-admin.md` 4.4, 7.2). Options that are not set are null. The bearer token and the source of
 * the static state are left out; headers are shown, unless their names sound secret.
 *
 * Settings of our own follow at the end.
 */
import { formatAddress, type SocketAddress } from "../net/address.ts";
import type { Config, Header, RootCertificates, ServerAddress, WorkloadName } from "./config.ts";
import { splitMillis } from "./duration.ts";
import { type DumpMap, type DumpValue, Tagged, toYaml } from "./dump_value.ts";
import type { BrokerSettings } from "./spire_settings.ts";
import { listenerPorts } from "./own_ports.ts";
import { resolverConfig, resolverOptions } from "./resolver_dump.ts";
import { mayBeSecret } from "./secret_header.ts";

/** The section `config` of `/config_dump`, with the keys that `istioctl` knows. Secrets are left out. */
export function configDump(config: Config): DumpMap {
  return {
    ...dataPlane(config),
    ...listeners(config),
    ...mesh(config),
    ...controlPlane(config),
    ...runtime(config),
    ...identity(config),
    ...spire(config),
    ...ours(config),
  };
}

/** The message of the start-up line. */
export function startupDump(config: Config): string {
  return `running with config: ${toYaml(configDump(config))}`;
}

function dataPlane({ proxyEnabled, dnsEnabled, http2 }: Config): DumpMap {
  return {
    proxy: proxyEnabled,
    dnsProxy: dnsEnabled,
    windowSize: http2.streamWindow,
    connectionWindowSize: http2.connectionWindow,
    frameSize: http2.maxFrameSize,
    poolMaxStreamsPerConn: http2.maxStreamsPerConnection,
    poolUnusedReleaseTimeout: duration(http2.unusedReleaseTimeout),
  };
}

function listeners({ listeners: at }: Config): DumpMap {
  return {
    socks5Addr: at.socks5 === null ? null : address(at.socks5),
    adminAddr: server(at.admin),
    statsAddr: server(at.stats),
    readinessAddr: server(at.readiness),
    inboundAddr: address(at.inbound),
    inboundPlaintextAddr: address(at.inboundPlaintext),
    outboundAddr: address(at.outbound),
    dnsProxyAddr: server(at.dns),
    illegalPorts: listenerPorts(at),
  };
}

function mesh({ node, mode, workload: dedicated }: Config): DumpMap {
  return {
    network: node.network,
    localNode: node.name,
    proxyMode: mode === "shared" ? "Shared" : "Dedicated",
    proxyWorkloadInformation: workload(dedicated),
    clusterId: node.clusterId,
    clusterDomain: node.clusterDomain,
  };
}

function controlPlane({ ca, xds, node, drainDeadline, proxyMetadata }: Config): DumpMap {
  return {
    caAddress: ca.address,
    caRootCert: roots(ca.roots),
    altCaHostname: ca.alternativeHostname,
    xdsAddress: xds.address,
    xdsRootCert: roots(xds.roots),
    altXdsHostname: xds.alternativeHostname,
    preferedServiceNamespace: node.preferredServiceNamespace,
    secretTtl: duration(ca.secretTtl),
    xdsOnDemand: xds.onDemand,
    fakeCa: ca.fake,
    fakeSelfInbound: false,
    selfTerminationDeadline: duration(drainDeadline),
    proxyMetadata,
  };
}

function runtime(config: Config): DumpMap {
  const { sockets, inpod, resolver, xds, ca } = config;
  return {
    numWorkerThreads: config.workerThreads,
    requireOriginalSource: sockets.originalSource,
    proxyArgs: config.proxyArguments,
    dnsResolverCfg: resolverConfig(resolver),
    dnsResolverOpts: resolverOptions(resolver, config.ipv6),
    inpodUds: inpod.socketPath,
    inpodPortReuse: inpod.reusePort,
    packetMark: sockets.mark,
    socketConfig: {
      keepaliveTime: duration(sockets.keepalive.time),
      keepaliveInterval: duration(sockets.keepalive.interval),
      keepaliveRetries: sockets.keepalive.retries,
      keepaliveEnabled: sockets.keepalive.enabled,
      userTimeoutEnabled: sockets.userTimeout !== null,
    },
    xdsHeaders: headers(xds.headers),
    caHeaders: headers(ca.headers),
    localhostAppTunnel: config.localhostAppTunnel,
  };
}

function identity(config: Config): DumpMap {
  const { self, trustDomain } = config.node;
  return {
    ztunnelIdentity: self === null ? null : `spiffe://${trustDomain}/ns/${self.namespace}/sa/${self.serviceAccount}`,
    ztunnelWorkload: workload(self),
    ipv6Enabled: config.ipv6,
    crlPath: config.tls.crlPath,
    enableEnhancedBaggage: config.responseBaggage,
  };
}

function spire({ spire: settings }: Config): DumpMap {
  if (!settings.enabled) return {};
  return {
    spireEnabled: true,
    spireTimeout: duration(settings.timeout),
    spireAdminSocket: settings.adminSocket,
    containerRuntimeSockPath: settings.containerRuntimeSockets[0]!,
  };
}

function ours({ tls, ca, spire: { enabled, attestation, concurrency, broker } }: Config): DumpMap {
  return {
    ...(enabled ? { spireAttestation: attestation, spireConcurrency: concurrency } : {}),
    ...(broker === null ? {} : brokerDump(broker)),
    ...(tls.library === null ? {} : { tlsLibrary: tls.library }),
    ...(ca.localFiles === null ? {} : { localCaCert: ca.localFiles.certificate }),
  };
}

function brokerDump(broker: BrokerSettings): DumpMap {
  return {
    caProvider: "spiffe_broker",
    spiffeBrokerSocket: broker.socketUri,
    spiffeBrokerWorkloadApiSocket: broker.workloadApiUri,
    spiffeBrokerWorkloadApiSpiffeId: broker.ownId,
    spiffeBrokerServerSpiffeId: broker.serverId,
    spiffeBrokerAttestation: broker.attestation,
    spiffeBrokerTimeout: duration(broker.timeout),
  };
}

function duration(millis: number): DumpMap {
  return { ...splitMillis(millis) };
}

function address(at: SocketAddress): string {
  return formatAddress(at);
}

function server(at: ServerAddress): DumpValue {
  if (at.kind === "localhost") return new Tagged("Localhost", [at.ipv6, at.port]);
  return new Tagged("SocketAddr", formatAddress(at.address));
}

function roots(certificates: RootCertificates): DumpValue {
  switch (certificates.kind) {
    case "file":
      return new Tagged("File", certificates.path);
    case "system":
      return "Default";
    case "pem":
      return "Static";
    default:
      return certificates satisfies never;
  }
}

function workload(name: WorkloadName | null): DumpValue {
  return name === null ? null : { ...name };
}

/** The dump is logged at the start. The Rust ztunnel shows all of them. */
function headers(list: readonly Header[]): DumpValue {
  return list.map(([name, value]) => [name, mayBeSecret(name) ? "***" : value]);
}
