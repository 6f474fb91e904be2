/** Where the workers' mesh comes from: the static file, then the control plane, or either of them. */
import { setImmediate } from "node:timers";
import type { Config } from "../config/config.ts";
import { MeshFeed } from "../control/mesh_feed.ts";
import { WorkloadCertificates } from "../identity/workload_certificates.ts";
import type { MeshChange } from "../mesh/changes.ts";
import type { Workload } from "../mesh/model.ts";
import { identityOf } from "../mesh/workload_identity.ts";
import type { Log } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { XdsClient } from "../xds/client.ts";
import type { Certificates } from "./certificates.ts";
import { loadMesh } from "./local_mesh.ts";
import type { Workers } from "./workers.ts";

export interface MeshSourceParts {
  readonly config: Config;
  readonly workers: Workers;
  readonly certificates: Certificates;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Before {@link MeshSource.start} where the static file is all there is. */
  readonly onSynced: () => void;
}

export class MeshSource {
  readonly #workers: Workers;
  readonly #static: readonly MeshChange[];
  /** Null: `XDS_ADDRESS` is empty. */
  readonly #client: XdsClient | null;
  readonly #synced = Promise.withResolvers<void>();

  /** Throws where the static file cannot be used. */
  constructor(parts: MeshSourceParts) {
    const { config, workers, metrics, log } = parts;
    this.#workers = workers;
    this.#static = loadMesh(config, log);
    const onReady = () => {
      parts.onSynced();
      this.#synced.resolve();
    };
    this.#client = config.xds.address === null
      ? null
      : new XdsClient({ config, sink: feedOf(parts), metrics, log, onReady });
    if (this.#client === null) onReady();
  }

  /** To be called when the workers run. */
  start(): void {
    this.#workers.send({ kind: "mesh", changes: this.#static });
    this.#client?.start();
  }

  /** Every worker has all that was there at the start: pods may be served (`docs/spec/xds-state.md` 2.10). */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** Nothing comes any more. Workers that are gone already do not matter. */
  close(): void {
    void this.#client?.close();
  }
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
