/** A host that emits its events when the test calls `answer`, and namespaces that check their reference counts. */
import { strict as assert } from "node:assert";
import type { DrainMode } from "../../net/drain_mode.ts";
import type { Pod, PodHost, PodNamespace, Serving, ServingEvents } from "../pod.ts";

/** A namespace with a checked reference count. */
export class TestNamespace implements PodNamespace {
  references = 1;
  constructor(readonly identity: string, readonly descriptor = 99) {}

  retain(): void {
    assert.ok(this.references > 0, "a released namespace is used");
    this.references++;
  }

  release(): void {
    assert.ok(this.references > 0, "a namespace is released too often");
    this.references--;
  }
}

/** A pod that is served by a {@link TestHost}. */
class TestServing implements Serving {
  state: "starting" | "up" | "stopping" | "ended" = "starting";
  readonly stops: DrainMode[] = [];

  constructor(readonly pod: Pod, readonly events: ServingEvents, readonly host: TestHost) {}

  stop(mode: DrainMode): void {
    assert.notEqual(this.state, "ended");
    this.stops.push(mode);
    if (this.state === "up") this.state = "stopping";
  }

  /** Emits the pending event. */
  answer(): void {
    if (this.state === "starting") return this.#finishStart();
    if (this.state === "stopping") this.#end();
  }

  #finishStart(): void {
    if (this.host.occupied.has(this.pod.namespace.identity)) {
      this.events.onFailed("port 15008 is taken");
      return this.#end();
    }
    this.state = "up";
    this.events.onStarted();
  }

  #end(): void {
    this.state = "ended";
    this.events.onEnded();
  }
}

/** Records all pods that it is to serve. */
export class TestHost implements PodHost {
  readonly served: TestServing[] = [];
  /** Namespaces in which serving fails because a port is in use. */
  readonly occupied = new Set<string>();

  serve(pod: Pod, events: ServingEvents): Serving {
    const serving = new TestServing(pod, events, this);
    this.served.push(serving);
    return serving;
  }

  /** Emits the pending events of all pods. */
  answer(): void {
    for (const serving of [...this.served]) serving.answer();
  }

  /** `uid@namespace` of all pods that are served. */
  get up(): string[] {
    return this.served.filter(({ state }) => state === "up").map(({ pod }) => `${pod.uid}@${pod.namespace.identity}`);
  }
}
