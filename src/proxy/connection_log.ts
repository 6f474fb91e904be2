/** The log of one connection: each line names it by its span (`docs/spec/config-admin.md` 6.3). */
import { formatAddress, type SocketAddress } from "../net/address.ts";
import { bare } from "../telemetry/log_fields.ts";
import { LEVEL } from "../telemetry/log_level.ts";
import type { LogScope } from "../telemetry/log.ts";
import type { Component, PodContext } from "./pod_context.ts";

/** The spans by the listener that accepted the connection. Filters select them by these targets. */
const SPANS: Readonly<Record<Component, { readonly name: string; readonly target: string }>> = {
  outbound: { name: "outbound", target: "ztunnel::proxy::outbound" },
  socks5: { name: "socks5", target: "ztunnel::proxy::socks5" },
  inbound: { name: "inbound", target: "ztunnel::proxy::inbound" },
  "inbound passthrough": { name: "inbound_passthrough", target: "ztunnel::proxy::inbound_passthrough" },
};

/** Whether lines at debug about connections of this listener pass the filter. */
export function logsDebug({ log, component }: PodContext): boolean {
  return log.log.isEnabled(SPANS[component].target, LEVEL.debug);
}

/** The scope for lines of a connection. `id`: its trace id; `peer`: who called the pod; null: the pod itself. */
export function connectionLog(context: PodContext, id: string, peer: SocketAddress | null): LogScope {
  const { name, target } = SPANS[context.component];
  const fields = peer === null ? { id: bare(id) } : { id: bare(id), peer: bare(formatAddress(peer)) };
  return context.log.as(target).within({ name, fields, target });
}
