/** The listeners of a process by the environment variable that sets their port. */
import type { Config, ServerAddress } from "../../config/config.ts";
import { LOOPBACK_V4, LOOPBACK_V6, type SocketAddress } from "../../net/address.ts";

interface NamedAddress {
  /** `INBOUND_PORT` */
  readonly variable: string;
  readonly address: SocketAddress;
}

/** The listeners of the workload in dedicated mode, which the workers bind. */
export function workloadListeners({ listeners, proxyEnabled }: Config): NamedAddress[] {
  if (!proxyEnabled) return [];
  const { inbound, inboundPlaintext, outbound, socks5 } = listeners;
  return [
    { variable: "INBOUND_PORT", address: inbound },
    { variable: "INBOUND_PLAINTEXT_PORT", address: inboundPlaintext },
    { variable: "OUTBOUND_PORT", address: outbound },
    ...socks5 === null ? [] : [{ variable: "SOCKS5_PORT", address: socks5 }],
  ];
}

/** The servers of the process itself. */
export function serverListeners({ listeners }: Config): NamedAddress[] {
  const { admin, stats, readiness } = listeners;
  const named = { ADMIN_PORT: admin, STATS_PORT: stats, READINESS_PORT: readiness };
  return Object.entries(named).flatMap(([variable, at]) => addressesOf(at).map((address) => ({ variable, address })));
}

function addressesOf(at: ServerAddress): SocketAddress[] {
  if (at.kind === "address") return [at.address];
  return [LOOPBACK_V4, LOOPBACK_V6].map((ip) => ({ ip, port: at.port }));
}
