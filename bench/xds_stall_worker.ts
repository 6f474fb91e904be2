/**
 * The part of a data-plane worker that applies the mesh, in a real loop that records the duration of its turns. With
 * `work` each turn has something to do, as with traffic.
 */
import { MeshUpdates } from "../src/dataplane/mesh_updates.ts";
import type { ToWorker } from "../src/dataplane/messages.ts";
import { MeshState } from "../src/mesh/state/state.ts";
import { Reactor } from "../src/net/reactor.ts";
import { threadCpuMillis } from "./thread_cpu.ts";

/** The durations of turns. */
export interface StallReport {
  /** ms of the longest turns, longest first, and of those that took most of the thread's own time. */
  readonly longest: readonly number[];
  readonly longestCpu: readonly number[];
  readonly turns: number;
}

const scope = globalThis as unknown as {
  postMessage(message: unknown): void;
  onmessage: (event: MessageEvent<ToWorker | { kind: "report" } | { kind: "work"; millis: number }>) => void;
};

const reactor = new Reactor({ onShed() {}, onError: (error) => console.error(error) });
const state = new MeshState("ip-10-0-0-5.eu-west-1.compute.internal");
const updates = new MeshUpdates({
  scheduler: reactor,
  apply: (changes) => void state.apply(changes),
  onApplied: (sequence) => scope.postMessage({ kind: "resources-applied", sequence }),
  onError: (text) => console.error(text),
  now: () => performance.now(),
  arrivals: () => reactor.arrivals + pretended,
});

/** ms of work in each turn, and how often it was done. */
let work = 0;
let pretended = 0;
let last = performance.now();
let lastCpu = 0;
let turns = 0;
const longest: number[] = [];
const longestCpu: number[] = [];

const recorder = {
  runTurn(): void {
    const now = performance.now();
    const cpu = threadCpuMillis();
    turns++;
    note(longest, now - last);
    note(longestCpu, cpu - lastCpu);
    last = now;
    lastCpu = cpu;
    if (work > 0) {
      pretended++;
      while (performance.now() < now + work);
    }
    reactor.nextTurn(recorder);
  },
};

function note(list: number[], millis: number): void {
  if (list.length === 20 && millis < list.at(-1)!) return;
  list.push(millis);
  list.sort((a, b) => b - a).splice(20);
}

scope.onmessage = ({ data }) => {
  switch (data.kind) {
    case "resources":
      return updates.receive(data.part);
    case "work":
      work = data.millis;
      last = performance.now();
      lastCpu = threadCpuMillis();
      return reactor.nextTurn(recorder);
    case "report":
      return scope.postMessage({ kind: "report", report: { longest, longestCpu, turns } satisfies StallReport });
  }
};
scope.postMessage({ kind: "ready", wake: reactor.wakeDescriptor });
void reactor.run("own-thread");
