/**
 * `xds_stall.ts WORKLOADS WORK`: the longest time for which a worker's loop is blocked while it loads a mesh. Prints
 * JSON.
 */
import { MeshFeed } from "../src/control/mesh/mesh_feed.ts";
import { SYSTEM_TURNS } from "../src/net/clock.ts";
import { wake } from "../src/os/wake.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, type RawResource, type ResourceType } from "../src/xds/resources.ts";
import { makeMesh, sizeOf } from "../testkit/mesh_resources.ts";
import type { StallReport } from "./xds_stall_worker.ts";

/** The figures. */
export interface StallFigures extends StallReport {
  /** ms until the worker had all of it. */
  readonly millis: number;
  /** ms until the policies were in force, which were sent while the worker applied workloads. */
  readonly policies: number;
  /** Longest time in ms for which the main loop was blocked. */
  readonly held: number;
}

type FromWorker =
  | { readonly kind: "ready"; readonly wake: number }
  | { readonly kind: "resources-applied"; readonly sequence: number }
  | { readonly kind: "report"; readonly report: StallReport };

/** ms after the workloads. */
const POLICIES_AFTER = 300;

const [workloads = "100000", work = "0"] = Deno.args;
const mesh = makeMesh(sizeOf(Number(workloads)));
const worker = new Worker(import.meta.resolve("./xds_stall_worker.ts"), { type: "module" });
const ready = Promise.withResolvers<number>();
const reported = Promise.withResolvers<StallReport>();
const feed = new MeshFeed({
  workers: 1,
  hashSeed: 0,
  send: (part) => tell({ kind: "resources", part }),
  ...SYSTEM_TURNS,
  events: { workload() {}, addressRemoved() {}, log: () => ({ info() {}, warn() {} }) },
});

worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
  switch (data.kind) {
    case "ready":
      return ready.resolve(data.wake);
    case "resources-applied":
      return feed.applied(data.sequence);
    case "report":
      return reported.resolve(data.report);
    default:
      return data satisfies never;
  }
};

const descriptor = await ready.promise;

function tell(message: unknown): void {
  worker.postMessage(message);
  wake(descriptor);
}

/** Measures the longest time for which the main loop was blocked. */
let held = 0;
let seen = performance.now();
const watch = setInterval(() => {
  const now = performance.now();
  held = Math.max(held, now - seen - 1);
  seen = now;
}, 1);

tell({ kind: "work", millis: Number(work) });
const start = performance.now();
const addresses = apply(ADDRESS_TYPE, mesh.addresses);
await new Promise((resume) => setTimeout(resume, POLICIES_AFTER));
const sent = performance.now();
await apply(AUTHORIZATION_TYPE, mesh.policies);
const policies = performance.now() - sent;
await addresses;
const millis = performance.now() - start;
clearInterval(watch);
tell({ kind: "report" });
const { longest, longestCpu, turns } = await reported.promise;
console.log(JSON.stringify({ millis, policies, longest, longestCpu, turns, held } satisfies StallFigures));
Deno.exit(0);

async function apply(type: ResourceType, changed: readonly RawResource[]): Promise<void> {
  await feed.apply({ type, connection: 1, changed, removed: [], earlier: null });
}
