/** A feed and the workers at its other end, in one isolate and under a clock of the test's. */
import { setImmediate } from "node:timers";
import { MeshUpdates } from "../../dataplane/mesh_updates.ts";
import type { MeshChange } from "../../mesh/model/changes.ts";
import type { Workload } from "../../mesh/model/model.ts";
import { MeshState } from "../../mesh/state/state.ts";
import { MemoryScheduler } from "../../net/testkit/memory_scheduler.ts";
import type { ResourcePart } from "../../xds/resource_part.ts";
import type { RawResource, Rejection, ResourceBatch, ResourceType } from "../../xds/resources.ts";
import { MeshFeed } from "../mesh/mesh_feed.ts";

class FeedWorker {
  readonly state = new MeshState();
  readonly scheduler = new MemoryScheduler();
  /** Parts that have come. */
  readonly parts: ResourcePart[] = [];
  /** Sizes of what was applied at once. */
  readonly batches: number[] = [];
  /** Numbers of parts, as they were said to be applied. */
  readonly applied: number[] = [];
  readonly errors: string[] = [];
  /** Milliseconds; each look at the clock takes `tick`. */
  time = 0;
  tick = 0.05;
  /** Called in each turn before the updates are: what else the loop has to do. */
  otherWork: () => void = () => {};
  readonly #updates: MeshUpdates;

  constructor(onApplied: (sequence: number) => void) {
    this.#updates = new MeshUpdates({
      scheduler: this.scheduler,
      apply: (changes: readonly MeshChange[]) => {
        this.batches.push(changes.filter(({ kind }) => kind !== "segment" && kind !== "texts").length);
        this.state.apply(changes);
      },
      onApplied: (sequence) => {
        this.applied.push(sequence);
        onApplied(sequence);
      },
      onError: (text) => this.errors.push(text),
      now: () => this.time += this.tick,
      arrivals: () => 0,
    });
  }

  receive(part: ResourcePart): void {
    this.parts.push(part);
    this.#updates.receive(part);
  }

  /** One turn of its loop. */
  turn(): void {
    this.otherWork();
    this.scheduler.step();
  }

  /** Until there is nothing to do; pauses are slept through. */
  run(): void {
    while (this.scheduler.busy) this.turn();
    this.scheduler.advance(1000);
  }
}

export class FeedBed {
  readonly workers: FeedWorker[];
  readonly feed: MeshFeed;
  readonly infos: string[] = [];
  readonly warnings: string[] = [];
  readonly workloads: Workload[] = [];
  readonly removed: string[] = [];
  /** How often main let others run. */
  turns = 0;
  time = 0;
  /** What a look at main's clock takes. */
  tick = 0;

  constructor(workers = 1) {
    this.workers = Array.from({ length: workers }, () => new FeedWorker((s) => this.feed.applied(s)));
    this.feed = new MeshFeed({
      workers,
      hashSeed: 0,
      send: (part) => this.workers.forEach((worker) => worker.receive(part)),
      turn: () => {
        this.turns++;
        return Promise.resolve();
      },
      now: () => this.time += this.tick,
      events: {
        workload: (workload) => this.workloads.push(workload),
        addressRemoved: (name) => this.removed.push(name),
        log: () => ({ info: (text) => void this.infos.push(text), warn: (text) => void this.warnings.push(text) }),
      },
    });
  }

  /** Applies a batch with all workers at work. */
  apply(batch: ResourceBatch): Promise<readonly Rejection[]> {
    return this.run(this.feed.apply(batch));
  }

  /** Lets all workers work until a call of the feed has ended. */
  async run<T>(done: Promise<T>): Promise<T> {
    let ended = false;
    done.then(() => ended = true);
    while (!ended) {
      for (const worker of this.workers) worker.run();
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return await done;
  }
}

export function batchOf(
  type: ResourceType,
  changed: readonly Pick<RawResource, "name" | "body">[],
  removed: readonly string[] = [],
  earlier: Promise<void> | null = null,
): ResourceBatch {
  return { connection: 1, type, changed: changed.map((each) => ({ version: "", ...each })), removed, earlier };
}
