/** What all listeners of one pod share. Made once per pod by the data plane. */
import type { Millis } from "../net/clock.ts";
import type { WorkloadName } from "../config/config.ts";
import type { Credentials } from "../hbone/credentials.ts";
import type { ServerHttp2 } from "../hbone/server_connection.ts";
import type { HboneLoop } from "../hbone/hbone_loop.ts";
import type { KnownPeers } from "../identity/known_peers.ts";
import type { TrustDomainAliases } from "../identity/trust_domain_aliases.ts";
import type { Workload } from "../mesh/model/model.ts";
import type { MeshState } from "../mesh/state/state.ts";
import type { DialOptions } from "../net/network.ts";
import type { ConnectionTelemetry } from "../telemetry/connection_telemetry.ts";
import type { LineLimit } from "../telemetry/line_limit.ts";
import type { LogScope } from "../telemetry/log.ts";
import type { Admission } from "./admission.ts";
import type { Connections } from "./connections.ts";
import type { LocalWorkload } from "../mesh/state/local_workload.ts";
import type { Lookups } from "./lookups.ts";
import type { HostResolver, PodResolver } from "./name_resolver.ts";

export interface ProxySettings {
  /** `NETWORK` */
  readonly network: string;
  /** Port of the inbound listener, which peers take HBONE on. */
  readonly hbonePort: number;
  /** The proxy's own ports, never proxied to. {@link PodProxy} adds those of its listeners. */
  readonly ownPorts: ReadonlySet<number>;
  readonly localhostAppTunnel: boolean;
  readonly responseBaggage: boolean;
  /** Dial applications from the client's address. */
  readonly originalSource: boolean;
  readonly dial: DialOptions;
  readonly http2: ServerHttp2;
  readonly maxStreamsPerConnection: number;
  readonly unusedRelease: Millis;
  /** For the TLS handshake, either side. */
  readonly handshakeTimeout: Millis;
  /** For the peer's answer to a CONNECT. */
  readonly responseTimeout: Millis;
  /** Streams of all connections that may wait for an application to accept (`docs/spec/observed.md` O27). */
  readonly maxPendingDials: number;
  readonly trustDomains: TrustDomainAliases;
}

/** Who knows the addresses of names. */
export interface PodNames {
  /** Of workloads that have no address. */
  readonly hosts: HostResolver;
  /** Of destinations; null: the pod has no DNS proxy. */
  readonly pod: PodResolver | null;
  /** `istio_on_demand_dns`: for each time {@link PodNames.hosts} is asked. */
  count(source: Workload, hostname: string): void;
}

export interface PodContext {
  readonly loop: HboneLoop;
  readonly state: MeshState;
  readonly name: WorkloadName;
  readonly local: LocalWorkload;
  readonly credentials: Credentials;
  readonly peers: KnownPeers;
  readonly telemetry: ConnectionTelemetry;
  readonly names: PodNames;
  /** Null: the whole mesh is known, nothing is looked up on demand. */
  readonly lookups: Lookups | null;
  readonly admission: Admission;
  readonly connections: Connections;
  /** `istio_tcp_sockets_open` by reporter. */
  readonly sockets: { readonly source: { value: number }; readonly destination: { value: number } };
  /** With the pod's span where there is one. */
  readonly log: LogScope;
  /** For warnings and errors that a peer or the pod can cause. */
  readonly lines: LineLimit;
  readonly settings: ProxySettings;
  /** In [0, 1). */
  readonly random: () => number;
  readonly fillRandom: (bytes: Uint8Array<ArrayBuffer>) => void;
  /** ms since the epoch. */
  readonly wallClock: () => number;
}
