/** A manager whose agent and host are controlled by the test. */
import { strict as assert } from "node:assert";
import type { WorkloadName } from "../../config/config.ts";
import { testLog } from "../../telemetry/testkit/log.ts";
import type { PodUid } from "../pod.ts";
import { TestHost, TestNamespace } from "./host.ts";
import { WorkloadManager } from "../workload_manager.ts";

/** The prefix of a recorded protocol error. */
export const PROTOCOL_ERROR = "protocol error: ";

/** A manager under test. Methods named after messages return the acknowledgement: `ok` or the error. */
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
      acknowledge: (error) => this.#answers.push(error ?? "ok"),
      setReady: (ready) => this.ready = ready,
      scheduleRetry: () => {
        assert.equal(this.retryScheduled, false);
        this.retryScheduled = true;
      },
      cancelRetry: () => this.retryScheduled = false,
      onProtocolError: (text) => this.#answers.push(PROTOCOL_ERROR + text),
    },
    this.host,
    this.counters,
    this.#log.log,
  );

  constructor() {
    this.manager.connected();
  }

  /** Sends an Add and lets the host finish. `info`: null: missing in the message. */
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

  /** Removes all pods and asserts that all namespaces are released. */
  assertAllReleased(): void {
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

/** Returns a workload of this name. */
export function workload(name: string): WorkloadName {
  return { name, namespace: "app", serviceAccount: `${name}-sa` };
}

/** The expected state. */
interface Outcome {
  readonly up?: readonly string[];
  readonly ready?: boolean;
  readonly pending?: number;
  readonly started?: number;
  readonly retry?: boolean;
}

/** Asserts the given parts of the state. */
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
