/** The ports of the proxy itself, to which it never connects (`attempted recursive call to ourselves`). */
import type { Config, ListenerSettings, ServerAddress } from "./config.ts";

/** Ports of the listeners for traffic. A listener on port 0 is left out: its owner adds the port that the kernel chose. */
export function listenerPorts({ inbound, outbound, inboundPlaintext, socks5 }: ListenerSettings): number[] {
  const addresses = [inbound, outbound, inboundPlaintext, ...socks5 === null ? [] : [socks5]];
  return addresses.map(({ port }) => port).filter((port) => port !== 0);
}

/**
 * All ports to which a pod must not be proxied. In dedicated mode the servers of the process have the pod's own network
 * namespace, so the pod could reach them as well (`docs/spec/observed.md` O35).
 */
export function ownPorts({ mode, listeners }: Pick<Config, "mode" | "listeners">): number[] {
  const { admin, stats, readiness, dns } = listeners;
  const servers = mode === "dedicated" ? [admin, stats, readiness, dns].map(serverPort) : [];
  return [...listenerPorts(listeners), ...servers];
}

/** The configured port of a server. */
export function serverPort(at: ServerAddress): number {
  return at.kind === "address" ? at.address.port : at.port;
}
