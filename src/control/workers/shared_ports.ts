/**
 * Checks before several workers share the ports of one workload. They do so by SO_REUSEPORT, with which the kernel also
 * accepts what would be a mistake.
 */
import type { Config } from "../../config/config.ts";
import { ConfigError } from "../../config/error.ts";
import { formatAddress, type SocketAddress } from "../../net/address.ts";
import { ListenError } from "../../net/network.ts";
import { workloadListeners } from "./listener_addresses.ts";

/**
 * Throws `ConfigError` where a port is the kernel's choice, since each worker would get another one, and `ListenError`
 * where another process has the port: another proxy of this user would get half of our connections, and we half of its.
 */
export function checkSharedPorts(config: Config): void {
  if (config.workerThreads === 1) return;
  for (const { variable, address } of workloadListeners(config)) {
    if (address.port === 0) {
      throw new ConfigError(
        `invalid configuration: ${variable}=0 must have ZTUNNEL_WORKER_THREADS=1 (got ${config.workerThreads}): ` +
          "each worker would listen on a port of its own",
      );
    }
    bindAlone(address);
  }
}

/** Binds without sharing, and closes the socket. Failures of another kind are reported by the workers. */
function bindAlone(address: SocketAddress): void {
  try {
    Deno.listen({ hostname: address.ip, port: address.port }).close();
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) return;
    throw new ListenError(
      `failed to bind to address ${formatAddress(address)}: ${error.message}`,
      "EADDRINUSE",
      address,
    );
  }
}
