/**
 * What must hold before several workers share the ports of one workload. They do so by SO_REUSEPORT, with which the
 * kernel accepts things that would be mistakes.
 */
import type { Config } from "../../config/config.ts";
import { ConfigError } from "../../config/error.ts";
import { formatAddress, type SocketAddress } from "../../net/address.ts";
import { ListenError } from "../../net/network.ts";
import { workloadListeners } from "./listener_addresses.ts";

/**
 * Throws `ConfigError` where a port is the kernel's choice, since each worker would get another one, and `ListenError`
 * where somebody has the port: another proxy of this user would get half of our connections, or we of its.
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
    tryAlone(address);
  }
}

/** Binds without sharing, and gives the port back. Failures of another kind are left to the workers to report. */
function tryAlone(address: SocketAddress): void {
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
