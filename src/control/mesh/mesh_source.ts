/** The workers' mesh: from the static file, from the control plane, or first the one and then the other. */
import type { MeshChange } from "../../mesh/model/changes.ts";
import type { WorkerHandle } from "../workers/worker_handle.ts";
import type { Workers } from "../workers/workers.ts";
import type { ControlPlaneMesh, ControlPlaneMeshParts } from "./control_plane_mesh.ts";
import { identityOf } from "../../mesh/model/workload_identity.ts";
import type { XdsStatus } from "../../xds/client_health.ts";
import { loadMesh, ownWorkload } from "./local_mesh.ts";

interface MeshSourceParts extends Omit<ControlPlaneMeshParts, "onReady"> {
  /** Called before {@link MeshSource.start} where the static file is all there is. */
  readonly onSynced: () => void;
}

/** Sends the mesh to the workers, first from the static file and then from the control plane. */
export class MeshSource {
  readonly #workers: Workers;
  readonly #static: readonly MeshChange[];
  /** Null: `XDS_ADDRESS` is empty. */
  readonly #controlPlane: ControlPlaneMesh | null;
  readonly #synced = Promise.withResolvers<void>();

  private constructor(parts: MeshSourceParts, ControlPlane: typeof ControlPlaneMesh | null) {
    this.#workers = parts.workers;
    this.#static = loadMesh(parts.config, parts.log);
    this.#fetchOwnCertificate(parts);
    const onReady = () => {
      parts.onSynced();
      this.#synced.resolve();
    };
    this.#controlPlane = ControlPlane === null ? null : new ControlPlane({ ...parts, onReady });
    if (this.#controlPlane === null) onReady();
  }

  /** Rejects where the static file cannot be used. */
  static async open(parts: MeshSourceParts): Promise<MeshSource> {
    // A proxy that has only a file does without the megabytes of the client.
    const needsClient = parts.config.xds.address !== null;
    return new MeshSource(parts, needsClient ? (await import("./control_plane_mesh.ts")).ControlPlaneMesh : null);
  }

  /** A dedicated proxy needs its certificate for the first connection: it is issued while the workers start. */
  #fetchOwnCertificate({ config, certificates }: MeshSourceParts): void {
    const own = ownWorkload(config, this.#static);
    const id = own === null ? null : identityOf(own);
    // An authority that issues by workload answers only once the pod runs.
    if (id !== null && certificates.keyedBy === "identity") certificates.request({ id, workloadUid: null });
  }

  /** Called once the workers run. */
  start(): void {
    this.#workers.send({ kind: "mesh", changes: this.#static });
    this.#controlPlane?.start();
  }

  /** Resolves when every worker has all that was there at the start: pods may be served (`xds-state.md` 2.10). */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** The state of the connection to the control plane; null: the static file is all there is. */
  get controlPlane(): XdsStatus | null {
    return this.#controlPlane?.status ?? null;
  }

  /** Looks up a name that the mesh of a worker lacks. */
  lookUp(worker: WorkerHandle, name: string): void {
    this.#controlPlane?.lookUp(worker, name);
  }

  /** A worker has applied this part of the resources. */
  applied(sequence: number): void {
    this.#controlPlane?.applied(sequence);
  }

  /** Ends the stream to the control plane. */
  close(): void {
    this.#controlPlane?.close();
  }
}
