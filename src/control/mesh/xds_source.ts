import { SYSTEM_TURNS } from "../../net/clock.ts";
/** The control plane's client, and the way of its resources to the workers and of their workloads to the certificates. */
import { MeshFeed } from "./mesh_feed.ts";
import type { Freshness } from "../../mesh/state/state.ts";
import { XdsClient } from "../../xds/client.ts";
import { certificateWatch } from "../certificates/certificate_watch.ts";
import type { MeshSourceParts } from "./mesh_source.ts";

/** `onReady`: every worker has what was there at the start. */
export function openXdsClient(parts: MeshSourceParts, onReady: () => void): XdsClient {
  const { config, metrics, log } = parts;
  const onFreshness = (freshness: Freshness) => parts.workers.send({ kind: "mesh-freshness", freshness });
  return new XdsClient({ config, sink: feedOf(parts), metrics, log, onReady, onFreshness });
}

function feedOf({ config, workers, certificates, log }: MeshSourceParts): MeshFeed {
  const watch = certificateWatch(config, certificates);
  const feed = new MeshFeed({
    workers: workers.all.length,
    send: (part) => workers.send({ kind: "resources", part }),
    ...SYSTEM_TURNS,
    events: { ...watch, log: (connection) => log.scope("ztunnel::xds", { name: "xds", fields: { id: connection } }) },
  });
  workers.onResourcesApplied = (worker, sequence) => feed.applied(workers.all.indexOf(worker), sequence);
  return feed;
}
