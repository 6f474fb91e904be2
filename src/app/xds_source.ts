/** The control plane's client, and the way of its resources to the workers and of their workloads to the certificates. */
import { setImmediate } from "node:timers";
import type { Config } from "../config/config.ts";
import { MeshFeed } from "../control/mesh_feed.ts";
import { WorkloadCertificates } from "../identity/workload_certificates.ts";
import type { Workload } from "../mesh/model.ts";
import { identityOf } from "../mesh/workload_identity.ts";
import { XdsClient } from "../xds/client.ts";
import type { Certificates } from "./certificates.ts";
import type { MeshSourceParts } from "./mesh_source.ts";

/** `onReady`: every worker has what was there at the start. */
export function openXdsClient(parts: MeshSourceParts, onReady: () => void): XdsClient {
  const { config, metrics, log } = parts;
  return new XdsClient({ config, sink: feedOf(parts), metrics, log, onReady });
}

function feedOf({ config, workers, certificates, log }: MeshSourceParts): MeshFeed {
  const watch = certificateWatch(config, certificates);
  const feed = new MeshFeed({
    workers: workers.all.length,
    send: (part) => workers.send({ kind: "resources", part }),
    turn: () => new Promise((resolve) => setImmediate(resolve)),
    now: () => performance.now(),
    events: { ...watch, log: (connection) => log.scope("ztunnel::xds", { name: "xds", fields: { id: connection } }) },
  });
  workers.onResourcesApplied = (worker, sequence) => feed.applied(workers.all.indexOf(worker), sequence);
  return feed;
}

/** Certificates are fetched for workloads of this node when they come, and forgotten when they go. */
function certificateWatch({ mode, node }: Config, { keeper, keyedBy }: Certificates) {
  const watch = new WorkloadCertificates(keeper, { mode, localNode: node.name, keyedBy });
  return {
    workload(workload: Workload): void {
      // Of a hundred thousand a hundred run here: nothing is worked out for the others.
      if (node.name !== null && workload.node !== node.name) return watch.remove(workload.uid);
      const { uid, nativeTunnel, protocol } = workload;
      watch.upsert({ uid, id: identityOf(workload), node: workload.node, nativeTunnel, hbone: protocol === "HBONE" });
    },
    addressRemoved: (name: string) => watch.remove(name),
  };
}
