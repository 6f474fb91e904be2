/** The addresses at which a pod's DNS proxy listens (`docs/spec/inpod-dns.md` A2.4, B5.1). */
import type { ServerAddress } from "../config/config.ts";
import { LOOPBACK_V4, LOOPBACK_V6, type SocketAddress } from "../net/address.ts";

/** The addresses for a configured one. `ipv6`: the namespace's loopback has IPv6. */
export function listenAddresses(at: ServerAddress, ipv6: boolean): SocketAddress[] {
  if (at.kind === "address") return [at.address];
  const addresses = [{ ip: LOOPBACK_V4, port: at.port }];
  if (at.ipv6 && ipv6) addresses.push({ ip: LOOPBACK_V6, port: at.port });
  return addresses;
}

/** The configured address for the log, with the port in use: `localhost:15053`. */
export function listenText(at: ServerAddress, port: number): string {
  if (at.kind === "localhost") return `localhost:${port}`;
  const { ip } = at.address;
  return ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
}
