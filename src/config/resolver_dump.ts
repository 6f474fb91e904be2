/** The resolver's settings in the shape of dumps (`docs/spec/config-admin.md` 1.5, 4.4). Nothing is known to read it. */
import type { DumpMap } from "./dump_value.ts";
import type { ResolverSettings } from "./resolver_settings.ts";

/** The dump's `dnsResolverCfg`: nameservers and search domains, with the Rust ztunnel's keys. */
export function resolverConfig({ nameservers, search, domain }: ResolverSettings): DumpMap {
  return {
    domain,
    search,
    name_servers: nameservers.map((ip) => ({
      ip,
      trust_negative_responses: true,
      connections: ["udp", "tcp"].map((type) => ({ port: 53, protocol: { type }, bind_addr: null })),
    })),
  };
}

/** The dump's `dnsResolverOpts`, with the Rust ztunnel's keys. */
export function resolverOptions({ ndots, timeout, attempts, edns0 }: ResolverSettings, ipv6: boolean): DumpMap {
  return {
    ndots,
    timeout: timeout / 1000,
    attempts,
    edns0,
    ip_strategy: ipv6 ? "Ipv4AndIpv6" : "Ipv4Only",
    cache_size: 4096,
    use_hosts_file: "Auto",
    positive_min_ttl: null,
    negative_min_ttl: null,
    positive_max_ttl: null,
    negative_max_ttl: null,
    num_concurrent_reqs: 2,
    max_active_requests: 32,
    preserve_intermediates: true,
    try_tcp_on_error: false,
    server_ordering_strategy: "QueryStatistics",
    recursion_desired: true,
    avoid_local_udp_ports: [],
    os_port_selection: false,
    case_randomization: false,
    trust_anchor: null,
    allow_answers: [],
    deny_answers: [],
    edns_payload_len: 1232,
  };
}
