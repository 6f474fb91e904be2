/**
 * The DNS proxy of one pod (`docs/spec/inpod-dns.md` B5). The data plane creates and closes it together with the pod.
 */
import type { ServerAddress } from "../config/config.ts";
import type { ResolverSettings } from "../config/resolver_settings.ts";
import type { Millis, Timer } from "../net/clock.ts";
import type { Loop } from "../net/loop.ts";
import type { MeshState } from "../mesh/state/state.ts";
import type { ListenerState, Network, Scheduler, SocketOptions } from "../net/network.ts";
import { Rounds } from "../net/rounds.ts";
import { ShedReport } from "../net/shed_report.ts";
import type { DrainMode } from "../net/drain_mode.ts";
import type { LocalWorkload } from "../mesh/state/local_workload.ts";
import type { PodResolver } from "../proxy/name_resolver.ts";
import type { LogScope } from "../telemetry/log.ts";
import { bare, type Fields } from "../telemetry/log_fields.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { type ConnectionBudget, DnsListeners } from "./dns_listeners.ts";
import { DnsTelemetry } from "./dns_telemetry.ts";
import { type ForwardBudget, Forwarder, newForwardBudget } from "./forwarder.ts";
import type { HostsFile } from "./hosts_file.ts";
import { listenAddresses, listenText } from "./listen_addresses.ts";
import type { LookupSettings } from "./lookup.ts";
import { podResolver } from "./pod_resolver.ts";
import { QueryService } from "./query_service.ts";
import { ServerList } from "./server_list.ts";

/** TCP connections read in one turn of the event loop, which takes one or two milliseconds. */
const CONNECTIONS_PER_TURN = 8;

/** Limits that the pods of one isolate share. */
export interface DnsShared {
  readonly forward: ForwardBudget;
  readonly connections: ConnectionBudget;
}

/** The limits of one isolate. */
export function newDnsShared(scheduler: Scheduler): DnsShared {
  return {
    forward: newForwardBudget(),
    connections: { left: 4096, rounds: new Rounds(scheduler, CONNECTIONS_PER_TURN) },
  };
}

/** What a DNS proxy needs. */
export interface DnsProxyParts {
  readonly loop: Loop;
  readonly state: MeshState;
  readonly local: LocalWorkload;
  readonly metrics: Metrics;
  /** With the pod's span where there is one. */
  readonly log: LogScope;
  readonly shared: DnsShared;
  readonly lookup: LookupSettings;
  /** From the proxy's own `resolv.conf`, as it is now. */
  readonly resolver: ResolverSettings;
  readonly hosts: HostsFile;
  readonly listen: ServerAddress;
  /** The namespace's loopback has IPv6. */
  readonly loopbackIpv6: boolean;
  /** For questions to nameservers: the pod's namespace, and the mark that exempts them from redirection. */
  readonly sockets: Pick<SocketOptions, "mark" | "namespace">;
  /** For the listening sockets. */
  readonly listenSockets: Pick<SocketOptions, "mark" | "namespace">;
  readonly reusePort: boolean;
  /** Isolates of this process that serve the same pod. */
  readonly siblings: number;
  /** Whether start and end are logged at info. True for one of the isolates. */
  readonly announce: boolean;
  /** In [0, 1). */
  readonly random: () => number;
  readonly fillRandom: (bytes: Uint8Array<ArrayBuffer>) => void;
}

const DNS_PORT = 53;
/** Occurs in pods that are being removed, whose loopback is down already, and in namespaces without IPv6. */
const NO_IPV6 = "the network namespace has no address ::1 (its loopback is down or without IPv6): " +
  "DNS is served at 127.0.0.1 only";
/** Limit of a drain. Clients repeat a query that has no answer for so long. */
const LONGEST_DRAIN: Millis = 5000;

/** Serves DNS from its construction to {@link drain} or {@link close}. */
export class DnsProxy {
  /** Resolves names for the pod's own proxy, with the same answers as clients get. */
  readonly resolver: PodResolver;
  readonly #log: LogScope;
  readonly #announce: boolean;
  readonly #service: QueryService;
  readonly #listeners: DnsListeners;
  readonly #shed: ShedReport;
  readonly #network: Network;
  readonly #onDrained: (() => void)[] = [];
  #deadline: Timer | null = null;
  #state: "running" | "draining" | "closed" = "running";

  /** Throws `ListenError`, or `Error` where `resolv.conf` has no nameserver, and then leaves no socket open. */
  constructor(parts: DnsProxyParts) {
    if (parts.resolver.nameservers.length === 0) throw new Error("no nameservers found in config");
    const { loop: { network }, state, local, lookup, hosts, random, sockets } = parts;
    const servers = new ServerList(parts.resolver.nameservers.map((ip) => ({ ip, port: DNS_PORT })));
    this.#network = network;
    this.#log = parts.log.as("ztunnel::dns::server");
    this.#announce = parts.announce;
    this.#shed = new ShedReport(network, (count, reason) => {
      this.#log.warn("TCP connections to the DNS proxy were refused", { count, reason });
    });
    this.#service = new QueryService({
      scheduler: network,
      state,
      local,
      lookup,
      hosts,
      forwarder: makeForwarder(parts, servers),
      transfers: { loop: parts.loop, sockets, servers },
      telemetry: new DnsTelemetry(parts.metrics, this.#log),
      log: this.#log,
      random,
    });
    this.resolver = podResolver(this.#service, network);
    const at = {
      addresses: listenAddresses(parts.listen, parts.loopbackIpv6),
      sockets: parts.listenSockets,
      reusePort: parts.reusePort,
      siblings: parts.siblings,
      onNoIpv6: (code: string) => this.#logOnce(NO_IPV6, { error: code }),
    };
    this.#listeners = new DnsListeners(network, at, this.#service, parts.shared.connections, this.#shed);
    const address = bare(listenText(parts.listen, this.port));
    this.#logOnce("starting local DNS server", { address, component: "dns" });
  }

  get port(): number {
    return this.#listeners.port;
  }

  get connectionCount(): number {
    return this.#listeners.connectionCount;
  }

  /** The kernel's state of each listening socket. */
  inspectListeners(): readonly ListenerState[] {
    return this.#listeners.inspect();
  }

  /**
   * Accepts no more queries. Calls `done` when all queries are answered, or the deadline passes. An immediate drain
   * answers nothing more, and also ends a graceful drain that is in progress.
   */
  drain(mode: DrainMode, done: () => void): void {
    if (this.#state === "closed") return done();
    this.#onDrained.push(done);
    if (this.#state === "running") this.#logOnce("shutting down the DNS server");
    if (mode.kind === "immediate") return this.#drained();
    if (this.#state === "draining") return;
    this.#state = "draining";
    this.#deadline = this.#network.after(Math.min(mode.deadline, LONGEST_DRAIN), () => this.#drained());
    this.#listeners.retire(() => this.#drained());
  }

  #drained(): void {
    this.close();
    this.#logOnce("dns server drained");
    for (const done of this.#onDrained.splice(0)) done();
  }

  /** All isolates of the pod log the same: one of them at info, the others at debug. */
  #logOnce(message: string, fields: Fields = {}): void {
    this.#log[this.#announce ? "info" : "debug"](message, fields);
  }

  /** Ends everything at once, without log lines. Idempotent. */
  close(): void {
    this.#state = "closed";
    this.#deadline?.cancel();
    this.#listeners.close();
    this.#service.close();
    this.#shed.close();
  }
}

function makeForwarder(parts: DnsProxyParts, servers: ServerList): Forwarder {
  const { loop: { network }, sockets, resolver, shared, fillRandom } = parts;
  const id = new Uint8Array(2);
  return new Forwarder({
    network,
    sockets,
    servers,
    timeout: resolver.timeout,
    attempts: resolver.attempts,
    randomId() {
      fillRandom(id);
      return (id[0]! << 8) | id[1]!;
    },
  }, shared.forward);
}
