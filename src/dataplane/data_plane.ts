/**
 * One isolate's data plane: its copy of the mesh, its certificates, and the proxies of its pods. The same object runs
 * in a worker and, in tests, in the main isolate.
 */
import type { WorkloadName } from "../config/config.ts";
import { SYSTEM_FILES } from "../config/files.ts";
import { certificatesPerPod } from "../config/certificates_per_pod.ts";
import { ownPorts, serverPort } from "../config/own_ports.ts";
import type { DnsProxy } from "../dns/dns_proxy.ts";
import type { StubResolver } from "../dns/stub_resolver.ts";
import { HeldBytes } from "../h2/held_bytes.ts";
import { type HboneLoop, makeHboneLoop } from "../hbone/hbone_loop.ts";
import type { IssuedCertificate } from "../identity/authority.ts";
import type { SpiffeId } from "../identity/spiffe_id.ts";
import type { RevocationList } from "../identity/crl.ts";
import { KnownPeers } from "../identity/known_peers.ts";
import { Revocation } from "../identity/revocation.ts";
import { TrustDomainAliases } from "../identity/trust_domain_aliases.ts";
import type { MeshChange } from "../mesh/model/changes.ts";
import { DecisionCounts } from "../mesh/policy/decision_counts.ts";
import { MeshState } from "../mesh/state/state.ts";
import { namespaceAddresses } from "../net/namespace_addresses.ts";
import type { ListenAt, ListenerState } from "../net/network.ts";
import type { DrainMode } from "../net/drain_mode.ts";
import { LocalWorkload } from "../mesh/state/local_workload.ts";
import type { FlowPosition, OpenFlow } from "../proxy/flow_list.ts";
import { DryRunCounts } from "../proxy/dry_run_counts.ts";
import { HalfClosedConnections } from "../proxy/half_closed.ts";
import type { PodNames, ProxySettings } from "../proxy/pod_context.ts";
import { type PodListeners, PodProxy } from "../proxy/pod_proxy.ts";
import { ConnectionTelemetry } from "../telemetry/connection_telemetry.ts";
import { FlowLog } from "../telemetry/flow_log.ts";
import { LineLimit } from "../telemetry/line_limit.ts";
import { onDemandDnsLabels } from "../telemetry/source_labels.ts";
import { CredentialStore } from "./credential_store.ts";
import type { DataPlaneParts, PodHome } from "./data_plane_parts.ts";
import { hostNames } from "./host_names.ts";
import { MeshLookups } from "./mesh_lookups.ts";
import type { ProxyPlan } from "./proxy_plan.ts";
import { podAdmission } from "./pod_admission.ts";
import { PodDns } from "./pod_dns.ts";
import { PodGuard } from "./pod_guard.ts";
import { podSpan } from "./pod_span.ts";
import {
  applicationPorts,
  dialMark,
  dialOptions,
  http2Options,
  keepaliveOptions,
  listenMark,
} from "./socket_options.ts";
import { traceparents } from "./traceparents.ts";

const TEN_SECONDS = 10_000;
/** `ENABLE_PROXY=false`: pods have their DNS proxy only. */
const NO_LISTENERS: PodListeners = { inbound: null, inboundPlaintext: null, outbound: null, socks5: null };
const MAX_PENDING_DIALS = 4096;
/** Ended connections that are kept for `/observe`, of all workers together. */
const FLOWS_KEPT = 10_000;

/** The proxies of one isolate, with all that they share. {@link drain} ends it. */
export class DataPlane {
  readonly state: MeshState;
  readonly credentials: CredentialStore;
  /** Lookups on demand; null unless `XDS_ON_DEMAND`. */
  readonly lookups: MeshLookups | null;
  readonly held: HeldBytes;
  readonly flows: FlowLog;
  readonly dryRuns = new DryRunCounts();
  readonly decisions = new DecisionCounts();
  readonly #parts: DataPlaneParts;
  readonly #loop: HboneLoop;
  readonly #newTraceparent: () => string;
  readonly telemetry: ConnectionTelemetry;
  readonly #halfClosed: HalfClosedConnections;
  readonly #peers: KnownPeers;
  /** Each pod with its DNS proxy; null: it has none. */
  readonly #pods = new Map<PodProxy, DnsProxy | null>();
  /** Pods taken so far. */
  #podsTaken = 0;
  /** Whether {@link DataPlane.drain} was called. */
  #isDraining = false;
  readonly #dns: PodDns | null;
  readonly #hosts: StubResolver;
  readonly #lines: LineLimit;

  constructor(parts: DataPlaneParts) {
    const { config, network, log, metrics, wallClock } = parts;
    this.#parts = parts;
    this.#newTraceparent = traceparents(parts);
    this.#lines = new LineLimit(network);
    const held = this.held = new HeldBytes(config.http2.heldBytesMax, {
      onFull: (...figures) => this.#heldIsFull(...figures),
    });
    this.#loop = makeHboneLoop(network, parts.onSurplus, parts.random, held);
    this.state = new MeshState(config.node.name, network, parts.hashSeed);
    this.lookups = config.xds.onDemand ? new MeshLookups((name) => parts.requestLookup(name)) : null;
    const files = parts.files ?? SYSTEM_FILES;
    this.#dns = config.dnsEnabled ? new PodDns({ ...parts, loop: this.#loop, state: this.state, files }) : null;
    this.#hosts = hostNames({ ...parts, files });
    const revocation = new Revocation(network, {
      rejected: (reporter) => void metrics.cell("istio_crl_policy_rejections", reporter).value++,
      untracked: (reporter) => void metrics.cell("istio_crl_untracked_connections", reporter).value++,
    });
    this.#peers = new KnownPeers(revocation);
    this.flows = new FlowLog(Math.ceil(FLOWS_KEPT / Math.max(1, config.workerThreads)), wallClock);
    this.telemetry = new ConnectionTelemetry({
      log,
      metrics: metrics.traffic,
      lines: config.log.access,
      flows: this.flows,
      random: parts.random,
      clock: network,
    });
    this.#halfClosed = new HalfClosedConnections(this.#loop, config.sockets.halfClosedTimeout, log, metrics);
    this.credentials = new CredentialStore(network, {
      request: (subject) => parts.requestCertificate(subject),
      makeContext: (settings) => parts.makeContext(settings),
    }, wallClock);
  }

  /** The open connections of all pods behind a position, in the order of positions. */
  *openFlows(after: FlowPosition | null): Generator<OpenFlow, void, undefined> {
    for (const pod of [...this.#pods.keys()]) {
      if (after === null || pod.number >= after.pod) yield* pod.openFlows(after);
    }
  }

  /** Applies changes of the mesh at once. */
  applyMesh(changes: readonly MeshChange[]): void {
    for (const warning of this.state.apply(changes)) this.#parts.log.scope("ztunnel::state").warn(warning);
  }

  /** A certificate was issued or renewed. `workloadUid`: the pod that alone uses it; null: all of its identity. */
  setCertificate(issued: IssuedCertificate, workloadUid: string | null = null): void {
    this.credentials.set(issued, workloadUid);
  }

  /**
   * A certificate could not be issued. `isTemporary`: it may arrive later without a further request, so callers wait
   * until their own time limit.
   */
  certificateFailed(id: SpiffeId, message: string, workloadUid: string | null = null, isTemporary = false): void {
    if (isTemporary) this.credentials.delayed(id, message, workloadUid);
    else this.credentials.failed(id, message, workloadUid);
  }

  /** Replaces all revocation lists, also for connections that are open. */
  setRevocationLists(lists: readonly RevocationList[]): void {
    this.#peers.revocation.replace(lists);
  }

  /**
   * Binds the listeners of one workload, in its `home` where it has one. `announce`: logs them, which one of the
   * isolates that share them does. Throws where that fails; nothing is left then.
   */
  startPod(name: WorkloadName, home: PodHome | null = null, announce = true): PodProxy {
    let started: PodProxy | null = null;
    const guard = home === null ? null : this.#guard(name, home, announce, () => started?.cutConnections());
    const local = new LocalWorkload(this.state, this.#parts.network, name, guard?.identify);
    const dns = this.#startDns(name, home, local, announce);
    try {
      const pod = this.#startProxy(name, home, { local, names: this.#names(dns) }, announce);
      this.#pods.set(pod, dns);
      started = pod;
      // Logs the reason why a pod is not served before its first connection.
      void local.current;
      return pod;
    } catch (error) {
      dns?.close();
      throw error;
    }
  }

  /**
   * The proxy's own workload, in the process's own namespace: inbound only, so that its metrics can be had over HBONE
   * (`docs/spec/dataplane.md` 1.9). Throws `ListenError`.
   */
  startSelf(name: WorkloadName): PodProxy {
    const { config, network, log } = this.#parts;
    const options = keepaliveOptions(config);
    const pod = this.#makeProxy(name, {
      own: { local: new LocalWorkload(this.state, network, name), names: this.#names(null) },
      uid: null,
      log: log.scope("ztunnel::proxy"),
      settings: {
        ...this.#settings(null),
        ownPorts: new Set([serverPort(config.listeners.admin)]),
        ...dialOptions(config, {}),
      },
      listeners: {
        inbound: {
          ...options,
          address: config.listeners.inbound,
          // As for pods, but this one dials from its own address.
          ...(config.sockets.originalSource === false ? {} : { transparent: "try" }),
        },
        inboundPlaintext: null,
        outbound: null,
        socks5: null,
      },
      originalSource: false,
      announce: true,
    });
    this.#pods.set(pod, null);
    return pod;
  }

  #guard(name: WorkloadName, { namespace }: PodHome, announce: boolean, onContradicted: () => void): PodGuard {
    const { network, log, addresses = namespaceAddresses } = this.#parts;
    const scope = log.scope("ztunnel::proxy", podSpan(name));
    return new PodGuard({ network, state: this.state, namespace, addresses, log: scope, announce, onContradicted });
  }

  #startDns(
    name: WorkloadName,
    home: PodHome | null,
    local: LocalWorkload,
    announce: boolean,
  ): DnsProxy | null {
    try {
      return this.#dns?.start(name, home?.namespace ?? null, local, announce) ?? null;
    } catch (error) {
      local.close();
      throw error;
    }
  }

  #startProxy(
    name: WorkloadName,
    home: PodHome | null,
    own: ProxyPlan["own"],
    announce: boolean,
  ): PodProxy {
    const { config, log } = this.#parts;
    return this.#makeProxy(name, {
      own,
      uid: home?.uid ?? null,
      log: home === null ? log.scope("ztunnel::proxy") : log.scope("ztunnel::proxy", podSpan(name)),
      settings: this.#settings(home),
      listeners: this.#listeners(home),
      originalSource: config.sockets.originalSource,
      announce,
    });
  }

  #makeProxy(name: WorkloadName, plan: ProxyPlan): PodProxy {
    const { own, uid, log, settings, listeners, originalSource, announce } = plan;
    const { config, metrics, random, wallClock } = this.#parts;
    return new PodProxy(
      {
        loop: this.#loop,
        state: this.state,
        name,
        ...own,
        credentials: this.credentials.of(certificatesPerPod(config) ? uid : null),
        peers: this.#peers,
        telemetry: this.telemetry,
        lookups: this.lookups,
        admission: podAdmission(this, config, metrics, this.#lines, log.log),
        decisions: this.decisions,
        sockets: {
          source: metrics.cell("istio_tcp_sockets_open", "source"),
          destination: metrics.cell("istio_tcp_sockets_open", "destination"),
        },
        halfClosed: this.#halfClosed,
        attemptsFailed: metrics.cell("istio_connection_attempts_failed"),
        log,
        lines: this.#lines,
        settings,
        random,
        newTraceparent: this.#newTraceparent,
        wallClock,
      },
      listeners,
      { number: ++this.#podsTaken, originalSource, announce },
    );
  }

  #names(dns: DnsProxy | null): PodNames {
    const { metrics } = this.#parts;
    return {
      hosts: this.#hosts,
      pod: dns?.resolver ?? null,
      count(source, hostname) {
        metrics.cell("istio_on_demand_dns", ...onDemandDnsLabels(source, hostname)).value++;
      },
    };
  }

  /** The state of every socket that accepts connections or datagrams of the pod, as the kernel reports it. */
  inspectListeners(pod: PodProxy): readonly (ListenerState & { readonly kind: "listener" | "DNS socket" })[] {
    return [
      ...pod.inspectListeners().map((state) => ({ ...state, kind: "listener" } as const)),
      ...(this.#pods.get(pod)?.inspectListeners() ?? []).map((state) => ({ ...state, kind: "DNS socket" } as const)),
    ];
  }

  /** Ends one pod; `done` is called when its last connection has ended. */
  stopPod(pod: PodProxy, mode: DrainMode, done: () => void): void {
    let left = 2;
    const ended = () => {
      if (--left > 0) return;
      this.#pods.delete(pod);
      done();
    };
    const dns = this.#pods.get(pod) ?? null;
    if (dns === null) left--;
    else dns.drain(mode, ended);
    pod.drain(mode, ended);
  }

  /**
   * Ends all pods; `done` is called once, when every connection has ended. After a graceful drain has begun, an immediate
   * one cuts what is left; its own `done` is ignored.
   */
  drain(mode: DrainMode, done: () => void): void {
    if (this.#isDraining) {
      for (const pod of [...this.#pods.keys()]) this.stopPod(pod, mode, () => {});
      return;
    }
    this.#isDraining = true;
    const end = () => {
      this.credentials.close();
      this.#hosts.close();
      this.state.health?.close();
      this.#lines.close();
      done();
    };
    let left = this.#pods.size;
    if (left === 0) return end();
    for (const pod of [...this.#pods.keys()]) this.stopPod(pod, mode, () => --left === 0 && end());
  }

  #heldIsFull(peer: string, held: number, total: number): void {
    this.#parts.metrics.cell("istio_held_bytes_limit_reached").value++;
    this.#lines.warn(
      "held bytes",
      this.#parts.log.scope("ztunnel::proxy"),
      `applications have not taken ${total} received bytes, ${held} of them from ${peer}: connections of peers that ` +
        `hold more than their share wait (HELD_BYTES_MAX=${this.#parts.config.http2.heldBytesMax})`,
    );
  }

  #settings(home: PodHome | null): Omit<ProxySettings, "originalSource"> {
    const { config, random, portsBelow } = this.#parts;
    const sourcePorts = applicationPorts(config, home?.namespace, random, portsBelow);
    return {
      network: config.node.network,
      hbonePort: config.listeners.inbound.port,
      ownPorts: new Set(ownPorts(config)),
      localhostAppTunnel: config.localhostAppTunnel,
      responseBaggage: config.responseBaggage,
      ...dialOptions(config, { ...dialMark(config), ...home }, sourcePorts),
      http2: http2Options(config),
      maxStreamsPerConnection: config.http2.maxStreamsPerConnection,
      unusedReleaseTimeout: config.http2.unusedReleaseTimeout,
      handshakeTimeout: TEN_SECONDS,
      responseTimeout: TEN_SECONDS,
      maxPendingDials: MAX_PENDING_DIALS,
      trustDomains: new TrustDomainAliases(config.node.trustDomain, config.node.trustDomainAliases),
    };
  }

  #listeners(home: PodHome | null): PodListeners {
    const { config, sharedListeners } = this.#parts;
    if (!config.proxyEnabled) return NO_LISTENERS;
    const { inbound, inboundPlaintext, outbound, socks5 } = config.listeners;
    const at = (address: ListenAt["address"]): ListenAt => ({
      address,
      ...listenMark(config),
      ...keepaliveOptions(config),
      ...home,
      ...(config.sockets.originalSource === false
        ? {}
        : { transparent: config.sockets.originalSource === true ? "require" : "try" }),
      reusePort: home === null ? sharedListeners : config.inpod.reusePort,
      siblings: config.workerThreads,
    });
    return {
      inbound: at(inbound),
      inboundPlaintext: at(inboundPlaintext),
      outbound: at(outbound),
      socks5: socks5 === null ? null : at(socks5),
    };
  }
}
