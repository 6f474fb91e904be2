/** How the proxy of one pod, or that of the proxy's own workload, is made. */
import type { PodContext, ProxySettings } from "../proxy/pod_context.ts";
import type { PodListeners } from "../proxy/pod_proxy.ts";
import type { LogScope } from "../telemetry/log.ts";

/** What differs between proxies of one data plane. */
export interface ProxyPlan {
  readonly own: Pick<PodContext, "local" | "names">;
  /** The pod's; null: not known. */
  readonly uid: string | null;
  readonly log: LogScope;
  readonly settings: Omit<ProxySettings, "originalSource">;
  readonly listeners: PodListeners;
  /** `ENABLE_ORIG_SRC` */
  readonly originalSource: boolean | null;
  /** Whether its listeners are logged. */
  readonly announce: boolean;
}
