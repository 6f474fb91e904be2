/** For tests only: a host that serves nothing, answers when it is told to, and counts references to namespaces. */
import { strict as assert } from "node:assert";
import type { DrainMode } from "../../proxy/drain.ts";
import type { Pod, PodHost, PodNamespace, Serving, ServingEvents } from "../pod.ts";

export class TestNamespace implements PodNamespace {
  references = 1;
  constructor(readonly identity: string, readonly descriptor = 99) {}

  retain(): void {
    assert.ok(this.references > 0, "a namespace that was let go is used");
    this.references++;
  }

  release(): void {
    assert.ok(this.references > 0, "a namespace is let go twice");
    this.references--;
  }
}

export class TestServing implements Serving {
  state: "asked" | "up" | "stopping" | "ended" = "asked";
  readonly stops: DrainMode[] = [];

  constructor(readonly pod: Pod, readonly events: ServingEvents, readonly host: TestHost) {}

  stop(mode: DrainMode): void {
    assert.notEqual(this.state, "ended");
    this.stops.push(mode);
    if (this.state === "up") this.state = "stopping";
  }

  answer(): void {
    if (this.state === "asked") return this.#answerStart();
    if (this.state === "stopping") this.#end();
  }

  #answerStart(): void {
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

export class TestHost implements PodHost {
  readonly served: TestServing[] = [];
  /** Namespaces in which a port is taken. */
  readonly occupied = new Set<string>();

  serve(pod: Pod, events: ServingEvents): Serving {
    const serving = new TestServing(pod, events, this);
    this.served.push(serving);
    return serving;
  }

  /** Everybody gives the answer that is due. */
  answer(): void {
    for (const serving of [...this.served]) serving.answer();
  }

  /** `uid@namespace` of what is served. */
  get up(): string[] {
    return this.served.filter(({ state }) => state === "up").map(({ pod }) => `${pod.uid}@${pod.namespace.identity}`);
  }
}
