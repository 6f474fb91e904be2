/**
 * The settings that decide about connections, from the `config` section of a dump. Absent settings have their defaults.
 */
import { parseSocketAddress } from "../../net/address.ts";
import type { ExplainSettings } from "../explain/explanation.ts";
import type { Field, Fields } from "../static_file/field.ts";
import { MAX_U16 } from "../static_file/values.ts";

const HBONE_PORT = 15008;

/** `config`: the section, or null where the dump has none. Throws `DumpError` for invalid values. */
export function readSettings(config: Field | null): ExplainSettings {
  const fields = config?.object([]) ?? null;
  const text = (key: string) => fields?.nullable(key)?.string() ?? null;
  const flag = (key: string, otherwise: boolean) => fields?.nullable(key)?.boolean() ?? otherwise;
  const dedicated = fields?.nullable("proxyMode")?.oneOf(["Shared", "Dedicated"]) === "Dedicated";
  const inbound = fields?.nullable("inboundAddr")?.parsed("an address and port", parseSocketAddress) ?? null;
  return {
    network: text("network") ?? "",
    hbonePort: inbound?.port ?? HBONE_PORT,
    ownPorts: [...readPorts(fields), ...dedicated ? readServers(fields) : []],
    localhostAppTunnel: flag("localhostAppTunnel", true),
    onDemand: flag("xdsOnDemand", false),
    dns: {
      clusterDomain: text("clusterDomain") ?? "cluster.local",
      searchDomains: dedicated ? readSearch(fields) : null,
      preferredServiceNamespace: text("preferedServiceNamespace"),
      ipv6: flag("ipv6Enabled", true),
    },
  };
}

function readPorts(fields: Fields | null): number[] {
  return fields?.nullable("illegalPorts")?.list().map((port) => port.integer(MAX_U16)) ?? [];
}

/** Ports of our servers. In dedicated mode the application can reach them (`docs/spec/observed.md` O35). */
function readServers(fields: Fields | null): number[] {
  return ["adminAddr", "statsAddr", "readinessAddr", "dnsProxyAddr"].flatMap((key) => {
    const server = fields?.nullable(key) ?? null;
    return server === null ? [] : [readServer(server)];
  });
}

/** `{Localhost: [ipv6, port]}` or `{SocketAddr: "ip:port"}`. */
function readServer(field: Field): number {
  const fields = field.object([]);
  const accepted = "the address of a server";
  const local = fields.optional("Localhost")?.list();
  if (local !== undefined) return local[1]?.integer(MAX_U16) ?? field.fail(accepted);
  return fields.optional("SocketAddr")?.parsed("an address and port", parseSocketAddress).port ?? field.fail(accepted);
}

function readSearch(fields: Fields | null): readonly string[] {
  return fields?.nullable("dnsResolverCfg")?.object([]).list("search", (domain) => domain.string()) ?? [];
}
