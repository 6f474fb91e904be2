/** Messages about the figures of a worker. A part of `messages.ts`; plain data. */
import type { WorkerFigures } from "../telemetry/worker_figures.ts";

/** How many resources a worker's copy of the mesh has. */
interface MeshSize {
  readonly workloads: number;
  readonly services: number;
  readonly policies: number;
}

/** From a worker to main. */
export interface FiguresAnswer {
  /** The number of the request. */
  readonly request: number;
  readonly figures: WorkerFigures;
  readonly mesh: MeshSize;
}
