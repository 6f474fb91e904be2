/** Choosing among services that share a host name or an address (`docs/spec/xds-state.md` 4.2). */
import type { Service } from "../model/model.ts";
import type { ServiceEntry } from "./service_entry.ts";

/**
 * Whether a client of this namespace may use the service. Null: a client without namespace, which sees all services.
 */
export function isVisible(service: Service, clientNamespace: string | null): boolean {
  return clientNamespace === null || service.visibility === "Public" || service.namespace === clientNamespace;
}

/**
 * The first service of the client's namespace, else the last canonical one, else the last one of
 * `preferredServiceNamespace` (DNS only), else the first; among those that the client may see.
 */
export function bestService(
  entries: readonly ServiceEntry[] | undefined,
  clientNamespace: string | null,
  preferredServiceNamespace: string | null = null,
): ServiceEntry | null {
  if (entries === undefined) return null;
  let first: ServiceEntry | null = null;
  let canonical: ServiceEntry | null = null;
  let preferred: ServiceEntry | null = null;
  for (const entry of entries) {
    const service = entry.service;
    if (!isVisible(service, clientNamespace)) continue;
    if (service.namespace === clientNamespace) return entry;
    if (service.canonical) canonical = entry;
    if (service.namespace === preferredServiceNamespace) preferred = entry;
    first ??= entry;
  }
  return canonical ?? preferred ?? first;
}
