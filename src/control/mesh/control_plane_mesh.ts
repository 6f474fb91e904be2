/**
 * The mesh as the control plane sends it: its client, and the way of its resources to the workers and of their
 * workloads to the certificates.
 */
import type { Config } from "../../config/config.ts";
import type { Freshness } from "../../mesh/state/state.ts";
import { SYSTEM_TURNS } from "../../net/clock.ts";
import type { Log } from "../../telemetry/log.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import { XdsClient } from "../../xds/client.ts";
import type { XdsStatus } from "../../xds/client_health.ts";
import type { Certificates } from "../certificates/certificates.ts";
import { certificateWatch } from "../certificates/certificate_watch.ts";
import type { WorkerHandle } from "../workers/worker_handle.ts";
import type { Workers } from "../workers/workers.ts";
import { MeshFeed } from "./mesh_feed.ts";

export interface ControlPlaneMeshParts {
  readonly config: Config;
  readonly workers: Workers;
  readonly certificates: Certificates;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Every worker has what the control plane sent first. */
  readonly onReady: () => void;
}

export class ControlPlaneMesh {
  readonly #feed: MeshFeed;
  readonly #client: XdsClient;

  constructor({ config, workers, certificates, metrics, log, onReady }: ControlPlaneMeshParts) {
    this.#feed = new MeshFeed({
      workers: workers.all.length,
      hashSeed: workers.hashSeed,
      send: (part) => workers.send({ kind: "resources", part }),
      ...SYSTEM_TURNS,
      events: {
        ...certificateWatch(config, certificates),
        log: (connection) => log.scope("ztunnel::xds", { name: "xds", fields: { id: connection } }),
      },
    });
    const onFreshness = (freshness: Freshness) => workers.send({ kind: "mesh-freshness", freshness });
    this.#client = new XdsClient({ config, sink: this.#feed, metrics, log, onReady, onFreshness });
  }

  start(): void {
    this.#client.start();
  }

  /** The state of the connection to the control plane. */
  get status(): XdsStatus {
    return this.#client.status;
  }

  /** Looks up a name for a worker. Resources of that name are sent to all workers before the result. */
  lookUp(worker: WorkerHandle, name: string): void {
    this.#client.lookUp(name, (result) => worker.send({ kind: "lookup-result", name, result }));
  }

  /** A worker has applied this part of the resources. */
  applied(sequence: number): void {
    this.#feed.applied(sequence);
  }

  close(): void {
    void this.#client.close();
  }
}
