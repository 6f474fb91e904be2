/** The settings that decide about connections, from the configuration of this proxy. */
import type { Config, ServerAddress } from "../../config/config.ts";
import type { ExplainSettings } from "./explanation.ts";

/** The settings for explanations of this process's connections. */
export function explainSettings(config: Config): ExplainSettings {
  const { node, listeners, mode } = config;
  const { admin, stats, readiness, dns } = listeners;
  const dedicated = mode === "dedicated";
  return {
    network: node.network,
    hbonePort: listeners.inbound.port,
    ownPorts: [...listeners.illegalPorts, ...dedicated ? [admin, stats, readiness, dns].map(portOf) : []],
    localhostAppTunnel: config.localhostAppTunnel,
    onDemand: config.xds.onDemand,
    dns: {
      clusterDomain: node.clusterDomain,
      searchDomains: dedicated ? config.resolver.search : null,
      preferredNamespace: node.preferredServiceNamespace,
      ipv6: config.ipv6,
    },
  };
}

function portOf(at: ServerAddress): number {
  return at.kind === "address" ? at.address.port : at.port;
}
