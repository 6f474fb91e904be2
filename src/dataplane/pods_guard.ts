/**
 * Whether a pod's namespace is that of the workload which the mesh names: it must have one of its addresses. Nothing is
 * served for it before: neither may a namespace that was handed over under a wrong name act as another workload, nor a
 * pod as the one whose name and whose place in the mesh it has just taken over.
 */
import type { Workload } from "../mesh/model.ts";
import type { Ip } from "../net/address.ts";
import { ListenError, type Network } from "../net/network.ts";
import type { Doubt } from "../proxy/local_workload.ts";
import type { LogScope } from "../telemetry/log.ts";

const SINK = { onDatagram() {} };

/** `namespace`: its descriptor. `log`: told when a doubt begins and when it is over. */
export function addressDoubt(network: Network, namespace: number, log: LogScope): Doubt {
  /** Addresses of the workload when it was last believed; only other ones are looked at again. */
  let believed: string | null = null;
  let told: string | null = null;
  return (workload) => {
    const addresses = workload.workloadIps.join(", ");
    if (addresses === believed) return null;
    if (!needsOwnAddress(workload) || workload.workloadIps.some((ip) => hasAddress(network, namespace, ip))) {
      if (told !== null) log.info(`the pod's network namespace has an address of its workload now: ${addresses}`);
      told = null;
      believed = addresses;
      return null;
    }
    believed = null;
    const reason = `its network namespace has none of the workload's addresses (${addresses})`;
    if (reason !== told) {
      log.warn(
        `nothing is served for this pod yet: ${reason}; either it was handed over as another pod, ` +
          "or the mesh is behind",
      );
    }
    told = reason;
    return reason;
  };
}

/** With the node's network there is nothing of its own; without an address there is nothing to look for. */
function needsOwnAddress({ networkMode, workloadIps }: Workload): boolean {
  return networkMode === "Standard" && workloadIps.length > 0;
}

/** The kernel lets a socket bind to addresses of its namespace only. */
function hasAddress(network: Network, namespace: number, ip: Ip): boolean {
  try {
    network.udp({ address: { ip, port: 0 }, namespace }, SINK).close();
    return true;
  } catch (error) {
    if (error instanceof ListenError) return false;
    throw error;
  }
}
