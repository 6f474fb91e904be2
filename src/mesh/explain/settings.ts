/** The settings that decide about connections, from the configuration of this proxy. */
import type { Config } from "../../config/config.ts";
import { ownPorts } from "../../config/own_ports.ts";
import type { ExplainSettings } from "./explanation.ts";

/** The settings for explanations of this process's connections. */
export function explainSettings(config: Config): ExplainSettings {
  const { node, listeners, mode } = config;
  const dedicated = mode === "dedicated";
  return {
    network: node.network,
    hbonePort: listeners.inbound.port,
    ownPorts: ownPorts(config),
    localhostAppTunnel: config.localhostAppTunnel,
    onDemand: config.xds.onDemand,
    dns: {
      clusterDomain: node.clusterDomain,
      searchDomains: dedicated ? config.resolver.search : null,
      preferredServiceNamespace: node.preferredServiceNamespace,
      ipv6: config.ipv6,
    },
  };
}
