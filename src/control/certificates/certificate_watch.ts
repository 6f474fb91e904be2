/** Certificates follow the workloads of this node: fetched when they come, forgotten when they go. */
import type { Config } from "../../config/config.ts";
import {
  type CertificateKeeper,
  type PrefetchRules,
  WorkloadCertificates,
} from "../../identity/workload_certificates.ts";
import type { Workload } from "../../mesh/model/model.ts";
import { identityOf } from "../../mesh/model/workload_identity.ts";

export interface WatchedCertificates {
  readonly keeper: CertificateKeeper;
  readonly keyedBy: PrefetchRules["keyedBy"];
}

/** What the feed of the workers' mesh is to tell of. */
export function certificateWatch({ mode, node }: Pick<Config, "mode" | "node">, certificates: WatchedCertificates) {
  const { keeper, keyedBy } = certificates;
  const watch = new WorkloadCertificates(keeper, { mode, localNode: node.name, keyedBy });
  return {
    workload(workload: Workload): void {
      // Of a hundred thousand a hundred run here: nothing is worked out for the others.
      if (node.name !== null && workload.node !== node.name) return watch.remove(workload.uid);
      const { uid, nativeTunnel, protocol } = workload;
      watch.upsert({ uid, id: identityOf(workload), node: workload.node, nativeTunnel, hbone: protocol === "HBONE" });
    },
    addressRemoved: (name: string): void => watch.remove(name),
  };
}
