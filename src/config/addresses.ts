/** Where listeners and servers bind by default: IPv6, loopback, and the settings that replace them. */
import { ANY_V4, ANY_V6, type Ip, parseIp } from "../net/address.ts";
import type { Environment } from "./environment.ts";
import type { ConfigFiles } from "./files.ts";
import { type Parsed, parsed, refused } from "./scalars.ts";

const LOOPBACK_SWITCH = "/proc/sys/net/ipv6/conf/lo/disable_ipv6";

/** The addresses that listeners bind to by default. */
export interface NetworkAddresses {
  /** `IPV6_ENABLED` */
  readonly ipv6: boolean;
  /** `::1` can be bound besides 127.0.0.1. */
  readonly localhostIpv6: boolean;
  /** `BIND_ADDRESS`, else the wildcard of the families in use. */
  readonly wildcard: Ip;
  readonly warnings: readonly string[];
}

/** From `IPV6_ENABLED` and `BIND_ADDRESS`. Throws {@link ConfigError}. */
export function networkAddresses(environment: Environment, files: ConfigFiles): NetworkAddresses {
  const ipv6 = environment.bool("IPV6_ENABLED");
  const loopback = ipv6 ? loopbackIpv6(files) : { enabled: false, warnings: [] };
  return {
    ipv6,
    localhostIpv6: loopback.enabled,
    wildcard: environment.parse("BIND_ADDRESS", parseAddress) ?? (ipv6 ? ANY_V6 : ANY_V4),
    warnings: loopback.warnings,
  };
}

function parseAddress(text: string): Parsed<Ip> {
  const ip = parseIp(text);
  return ip === null ? refused("invalid IP address syntax") : parsed(ip);
}

/** If the file cannot be read, IPv6 counts as enabled: binding `::1` then fails with the reason. */
function loopbackIpv6(files: ConfigFiles): { enabled: boolean; warnings: string[] } {
  let text: string | null = null;
  try {
    text = files.read(LOOPBACK_SWITCH);
  } catch { /* as if missing */ }
  if (text !== null) return { enabled: text.trim() !== "1", warnings: [] };
  return { enabled: true, warnings: [`failed to read ${LOOPBACK_SWITCH}, assuming IPv6 is enabled on loopback`] };
}
