/** Fetches certificates for the workloads of this node as they come, and removes them as they go. */
import type { Config } from "../../config/config.ts";
import {
  type CertificateKeeper,
  type PrefetchRules,
  WorkloadCertificates,
} from "../../identity/workload_certificates.ts";
import type { Workload } from "../../mesh/model/model.ts";
import { identityOf } from "../../mesh/model/workload_identity.ts";

interface WatchedCertificates {
  readonly keeper: CertificateKeeper;
  readonly keyedBy: PrefetchRules["keyedBy"];
}

/** The callbacks of the mesh feed. */
export function certificateWatch({ mode, node }: Pick<Config, "mode" | "node">, certificates: WatchedCertificates) {
  const { keeper, keyedBy } = certificates;
  const watch = new WorkloadCertificates(keeper, { mode, localNode: node.name, keyedBy });
  return {
    workload(workload: Workload): void {
      // A hundred of a hundred thousand workloads run here: for the others nothing is computed.
      if (node.name !== null && workload.node !== node.name) return watch.remove(workload.uid);
      const { uid, nativeTunnel, protocol } = workload;
      watch.upsert({ uid, id: identityOf(workload), node: workload.node, nativeTunnel, hbone: protocol === "HBONE" });
    },
    addressRemoved: (name: string): void => watch.remove(name),
  };
}
