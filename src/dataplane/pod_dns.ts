/** Starts the DNS proxies of one isolate's pods, from the configuration and the files of the node. */
import type { Config, WorkloadName } from "../config/config.ts";
import type { ConfigFiles } from "../config/files.ts";
import { parseResolverFile } from "../config/resolver_settings.ts";
import { DnsProxy, type DnsShared, newDnsShared } from "../dns/dns_proxy.ts";
import { parseHostsFile } from "../dns/hosts_file.ts";
import type { Loop } from "../net/loop.ts";
import type { MeshState } from "../mesh/state/state.ts";
import { insideNamespace } from "../os/namespace.ts";
import type { LocalWorkload } from "../mesh/state/local_workload.ts";
import type { Log, LogScope } from "../telemetry/log.ts";
import { bare } from "../telemetry/log_fields.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { dialMark, listenMark } from "./socket_options.ts";

const RESOLVER_FILE = "/etc/resolv.conf";
const HOSTS_FILE = "/etc/hosts";
const LOOPBACK_SWITCH = "/proc/sys/net/ipv6/conf/lo/disable_ipv6";

/** What {@link PodDns} needs. */
interface PodDnsParts {
  readonly config: Config;
  readonly loop: Loop;
  readonly state: MeshState;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly files: ConfigFiles;
  readonly random: () => number;
  readonly fillRandom: (bytes: Uint8Array<ArrayBuffer>) => void;
}

/** The DNS proxies of one isolate's pods. */
export class PodDns {
  readonly #parts: PodDnsParts;
  readonly #shared: DnsShared;

  constructor(parts: PodDnsParts) {
    this.#parts = parts;
    this.#shared = newDnsShared(parts.loop.network);
  }

  /**
   * Starts a pod's DNS proxy. `namespace`: the descriptor of the pod's, null for the process's own. `announce`: its
   * start and end are logged. Throws where its sockets cannot be bound.
   */
  start(name: WorkloadName, namespace: number | null, local: LocalWorkload, announce: boolean): DnsProxy {
    const { config, loop, state, metrics, random, fillRandom } = this.#parts;
    const log = this.#log(name, namespace);
    // Read for each pod, as upstream does (`docs/spec/inpod-dns.md` B5.1).
    const resolver = parseResolverFile(this.#read(RESOLVER_FILE));
    const home = namespace === null ? {} : { namespace };
    return new DnsProxy({
      loop,
      state,
      local,
      metrics,
      log,
      shared: this.#shared,
      lookup: {
        clusterDomain: config.node.clusterDomain,
        searchDomains: namespace === null ? resolver.search : null,
        preferredServiceNamespace: config.node.preferredServiceNamespace,
        ipv6: config.ipv6,
      },
      resolver,
      hosts: parseHostsFile(this.#read(HOSTS_FILE)),
      listen: config.listeners.dns,
      loopbackIpv6: namespace === null || this.#loopbackHasIpv6(namespace, log),
      sockets: { ...dialMark(config), ...home },
      listenSockets: { ...listenMark(config), ...home },
      reusePort: namespace === null ? config.workerThreads > 1 : config.inpod.reusePort,
      siblings: config.workerThreads,
      announce,
      random,
      fillRandom,
    });
  }

  #log({ name, namespace }: WorkloadName, home: number | null): LogScope {
    const target = "ztunnel::dns::server";
    const span = { name: "dns_proxy", fields: { wl: bare(`${namespace}/${name}`) } };
    return home === null ? this.#parts.log.scope(target) : this.#parts.log.scope(target, span);
  }

  /** Empty where there is no such file. */
  #read(path: string): string {
    return this.#parts.files.read(path) ?? "";
  }

  /** The file shows the switch of the namespace that the reading thread is in. */
  #loopbackHasIpv6(namespace: number, log: LogScope): boolean {
    try {
      return insideNamespace(namespace, () => this.#read(LOOPBACK_SWITCH)).trim() !== "1";
    } catch {
      log.warn("failed to determine if IPv6 was disabled; continuing anyways, but this may fail");
      return true;
    }
  }
}
