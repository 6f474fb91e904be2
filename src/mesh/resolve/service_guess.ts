/**
 * Which service a connection to a local workload was made to. For telemetry only (`docs/spec/dataplane.md` 1.7 step
 * 13).
 */
import type { Service, Workload } from "../model/model.ts";
import type { ServiceEntry } from "../state/service_entry.ts";
import type { MeshState } from "../state/state.ts";

/** The services that `local` belongs to, without those that have not arrived. */
export function servicesOf(state: MeshState, local: Workload): readonly ServiceEntry[] {
  return local.services.map((key) => state.service(key)).filter((entry) => entry !== null);
}

/**
 * The candidate in the client's `Forwarded` header, else the first with a port that leads to
 * `localPort`, else null.
 */
export function guessService(
  local: Workload,
  candidates: readonly ServiceEntry[],
  forwardedHost: string | null,
  localPort: number,
): Service | null {
  if (forwardedHost !== null) {
    for (const { service } of candidates) if (service.hostname === forwardedHost) return service;
  }
  for (const entry of candidates) if (leadsTo(entry, local, localPort)) return entry.service;
  return null;
}

function leadsTo(entry: ServiceEntry, local: Workload, localPort: number): boolean {
  const own = entry.endpoints.get(local.uid)?.ports;
  for (const [port, target] of entry.service.ports) {
    if (target === localPort || own?.get(port) === localPort) return true;
  }
  return false;
}
