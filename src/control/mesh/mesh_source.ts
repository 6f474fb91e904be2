/** Where the workers' mesh comes from: the static file, then the control plane, or either of them. */
import type { Config } from "../../config/config.ts";
import type { MeshChange } from "../../mesh/model/changes.ts";
import type { Log } from "../../telemetry/log.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import type { XdsClient } from "../../xds/client.ts";
import type { Certificates } from "../certificates/certificates.ts";
import { loadMesh } from "./local_mesh.ts";
import type { Workers } from "../workers/workers.ts";

export interface MeshSourceParts {
  readonly config: Config;
  readonly workers: Workers;
  readonly certificates: Certificates;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Before {@link MeshSource.start} where the static file is all there is. */
  readonly onSynced: () => void;
}

type OpenClient = (parts: MeshSourceParts, onReady: () => void) => XdsClient;

export class MeshSource {
  readonly #workers: Workers;
  readonly #static: readonly MeshChange[];
  /** Null: `XDS_ADDRESS` is empty. */
  readonly #client: XdsClient | null;
  readonly #synced = Promise.withResolvers<void>();

  private constructor(parts: MeshSourceParts, openClient: OpenClient | null) {
    this.#workers = parts.workers;
    this.#static = loadMesh(parts.config, parts.log);
    const onReady = () => {
      parts.onSynced();
      this.#synced.resolve();
    };
    this.#client = openClient?.(parts, onReady) ?? null;
    if (this.#client === null) onReady();
    parts.workers.onMeshWanted = (worker, name) => {
      // The answer follows what it is about: resources are applied in their order, and before anybody is answered.
      this.#client?.lookUp(name, (answer) => worker.send({ kind: "mesh-answered", name, answer }));
    };
  }

  /** Rejects where the static file cannot be used. */
  static async open(parts: MeshSourceParts): Promise<MeshSource> {
    // A proxy that has a file only does without the client's megabytes.
    const openClient = parts.config.xds.address === null ? null : (await import("./xds_source.ts")).openXdsClient;
    return new MeshSource(parts, openClient);
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
