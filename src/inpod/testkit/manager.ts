/** For tests only: a manager with an agent and a host that the test plays. */
import { strict as assert } from "node:assert";
import type { WorkloadName } from "../../config/config.ts";
import { testLog } from "../../telemetry/testkit/log.ts";
import type { PodUid } from "../pod.ts";
import { TestHost, TestNamespace } from "./host.ts";
import { WorkloadManager } from "../workload_manager.ts";

/** What an answer that ends the process begins with. */
export const BREACH = "breach: ";

export class ManagerBed {
  readonly host = new TestHost();
  readonly counters = { active: { value: 0 }, pending: { value: 0 }, started: { value: 0 }, stopped: { value: 0 } };
  readonly #log = testLog();
  readonly namespaces: TestNamespace[] = [];
  ready = false;
  retryScheduled = false;
  #answers: string[] = [];
  readonly manager = new WorkloadManager(
    {
      answer: (error) => this.#answers.push(error ?? "ok"),
      setReady: (ready) => this.ready = ready,
      scheduleRetry: () => {
        assert.equal(this.retryScheduled, false);
        this.retryScheduled = true;
      },
      cancelRetry: () => this.retryScheduled = false,
      onBreach: (text) => this.#answers.push(BREACH + text),
    },
    this.host,
    this.counters,
    this.#log.log,
  );

  constructor() {
    this.manager.connected();
  }

  /** The answer to an Add of this pod, after everybody has answered. `info` null: the agent left it out. */
  add(uid: string, netns = `ns-${uid}`, info: WorkloadName | null = workload(uid)): string {
    const namespace = new TestNamespace(netns);
    this.namespaces.push(namespace);
    this.manager.receive({ kind: "add", uid: uid as PodUid, workload: info }, namespace);
    return this.#answer();
  }

  keep(uid: string): string {
    this.manager.receive({ kind: "keep", uid: uid as PodUid }, null);
    return this.#answer();
  }

  delete(uid: string): string {
    this.manager.receive({ kind: "delete", uid: uid as PodUid }, null);
    return this.#answer();
  }

  snapshotSent(): string {
    this.manager.receive({ kind: "snapshot-sent" }, null);
    return this.#answer();
  }

  retry(): void {
    assert.ok(this.retryScheduled, "no retry is scheduled");
    this.retryScheduled = false;
    this.manager.retry();
    this.host.answer();
  }

  reconnect(): void {
    this.manager.disconnected();
    this.manager.connected();
  }

  get states(): string[] {
    return this.manager.pods.map(({ uid, state }) => `${uid} ${state}`);
  }

  get lines(): string[] {
    return this.#log.lines().map((line) => line.split("\t").slice(1).join(" ").trimEnd());
  }

  /** Everything that is served is removed: then nobody refers to a namespace any more. */
  assertNothingHeld(): void {
    this.reconnect();
    this.snapshotSent();
    this.host.answer();
    assert.deepEqual(this.namespaces.map(({ references }) => references), this.namespaces.map(() => 0));
    assert.deepEqual([this.counters.active.value, this.counters.pending.value], [0, 0]);
    assert.equal(this.counters.started.value, this.counters.stopped.value);
    assert.deepEqual(this.states, []);
  }

  #answer(): string {
    this.host.answer();
    const answers = this.#answers;
    this.#answers = [];
    assert.equal(answers.length, 1, `one answer to each message, not ${JSON.stringify(answers)}`);
    return answers[0]!;
  }
}

export function workload(name: string): WorkloadName {
  return { name, namespace: "app", serviceAccount: `${name}-sa` };
}

export interface Outcome {
  readonly up?: readonly string[];
  readonly ready?: boolean;
  readonly pending?: number;
  readonly started?: number;
  readonly retry?: boolean;
}

export function check(bed: ManagerBed, expected: Outcome): void {
  const found: Required<Outcome> = {
    up: bed.host.up,
    ready: bed.ready,
    pending: bed.counters.pending.value,
    started: bed.counters.started.value,
    retry: bed.retryScheduled,
  };
  for (const key of Object.keys(expected) as (keyof Outcome)[]) assert.deepEqual(found[key], expected[key], key);
  assert.equal(bed.counters.active.value, bed.host.up.length, "active");
}
