/** What all connections of one pod share. The data plane makes it once for each pod. */
import type { WorkloadName } from "../config/config.ts";
import type { Credentials } from "../hbone/credentials.ts";
import type { ServerHttp2 } from "../hbone/server_connection.ts";
import type { HboneLoop } from "../hbone/hbone_loop.ts";
import type { KnownPeers } from "../identity/known_peers.ts";
import type { TrustDomainAliases } from "../identity/trust_domain_aliases.ts";
import type { Workload } from "../mesh/model/model.ts";
import type { DecisionCounts } from "../mesh/policy/decision_counts.ts";
import type { MeshState } from "../mesh/state/state.ts";
import type { Millis } from "../net/clock.ts";
import type { DialOptions } from "../net/network.ts";
import type { ConnectionTelemetry } from "../telemetry/connection_telemetry.ts";
import type { LineLimit } from "../telemetry/line_limit.ts";
import type { LogScope } from "../telemetry/log.ts";
import type { Admission } from "./admission.ts";
import type { Connections } from "./connections.ts";
import type { LocalWorkload } from "../mesh/state/local_workload.ts";
import type { HalfClosedConnections } from "./half_closed.ts";
import type { Lookups } from "./lookups.ts";
import type { HostResolver, PodResolver } from "./name_resolver.ts";

/** What a listener is for. */
export type Component = "outbound" | "inbound" | "inbound passthrough" | "socks5";

/** Settings of one pod's proxy. Times are in ms. */
export interface ProxySettings {
  /** `NETWORK` */
  readonly network: string;
  /** Port of HBONE listeners, ours and those of peers. */
  readonly hbonePort: number;
  /** The proxy's own ports, to which it never connects. `PodProxy` adds those of its listeners. */
  readonly ownPorts: ReadonlySet<number>;
  readonly localhostAppTunnel: boolean;
  readonly responseBaggage: boolean;
  /** Dial applications from the client's address. */
  readonly originalSource: boolean;
  /** For dials of other workloads and of destinations outside of the mesh. */
  readonly dial: DialOptions;
  /** For dials of the pod's own applications. */
  readonly applicationDial: DialOptions;
  readonly http2: ServerHttp2;
  readonly maxStreamsPerConnection: number;
  readonly unusedReleaseTimeout: Millis;
  /** For a TLS handshake, as client and as server. */
  readonly handshakeTimeout: Millis;
  /** For a peer's answer to a CONNECT. */
  readonly responseTimeout: Millis;
  /** Dials of applications that may be in flight on one listener (`docs/spec/observed.md` O27). */
  readonly maxPendingDials: number;
  readonly trustDomains: TrustDomainAliases;
}

/** The resolvers that a pod's connections use. */
export interface PodNames {
  /** For workloads that have a name and no address. */
  readonly hosts: HostResolver;
  /** For SOCKS5 clients; null: the pod has no DNS proxy. */
  readonly pod: PodResolver | null;
  /** Counts a use of {@link PodNames.hosts} (`istio_on_demand_dns`). */
  count(source: Workload, hostname: string): void;
}

/** What the connections of one listener need. */
export interface PodContext {
  readonly loop: HboneLoop;
  readonly state: MeshState;
  readonly name: WorkloadName;
  readonly component: Component;
  readonly local: LocalWorkload;
  readonly credentials: Credentials;
  readonly peers: KnownPeers;
  readonly telemetry: ConnectionTelemetry;
  readonly names: PodNames;
  /** Null: no lookups on demand. */
  readonly lookups: Lookups | null;
  readonly admission: Admission;
  /** How often each decision was made, for all pods. */
  readonly decisions: DecisionCounts;
  readonly connections: Connections;
  /** `istio_tcp_sockets_open` by reporter. */
  readonly sockets: { readonly source: { value: number }; readonly destination: { value: number } };
  readonly halfClosed: HalfClosedConnections;
  /** `istio_connection_attempts_failed` */
  readonly attemptsFailed: { value: number };
  /** With the pod's span in shared mode. */
  readonly log: LogScope;
  /** Limits warnings and errors that a peer or the pod can cause. */
  readonly lines: LineLimit;
  readonly settings: ProxySettings;
  /** In [0, 1). */
  readonly random: () => number;
  /** A `traceparent` with new ids. */
  readonly newTraceparent: () => string;
  /** ms since the epoch. */
  readonly wallClock: () => number;
}
