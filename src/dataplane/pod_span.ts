/** The span of all log lines of a pod. */
import type { WorkloadName } from "../config/config.ts";
import { bare, type Span } from "../telemetry/log_fields.ts";

/** The span `proxy{wl=shop/cart-0}`. */
export function podSpan({ name, namespace }: WorkloadName): Span {
  return { name: "proxy", fields: { wl: bare(`${namespace}/${name}`) } };
}
