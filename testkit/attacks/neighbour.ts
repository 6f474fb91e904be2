/** A peer of the proxy under attack that keeps to the protocol: it has one tunnel to the echo application. */
import { strict as assert } from "node:assert";
import { data } from "../../src/h2/testkit/frames.ts";
import { Peer } from "./peer.ts";
import type { Target } from "./target.ts";

/** One connection with one tunnel, to check that the proxy serves other peers during an attack. */
export class Neighbour implements AsyncDisposable {
  /** Descriptors that it takes in the proxy: its connection, and the one to the application. */
  static readonly DESCRIPTORS = 2;
  #count = 0;

  private constructor(readonly peer: Peer, readonly id: number) {}

  /** Connects, and waits for the tunnel's 200. */
  static async open(target: Target): Promise<Neighbour> {
    const peer = await Peer.connect(target.site);
    const id = peer.tunnel(target.authority("echo"));
    await peer.until(() => peer.stream(id).status !== null);
    assert.equal(peer.stream(id).status, "200");
    return new Neighbour(peer, id);
  }

  /** Sends a few bytes and waits for their echo. */
  async echoes(): Promise<void> {
    const stream = this.peer.stream(this.id), before = stream.received;
    const bytes = new TextEncoder().encode(`echo ${this.#count++}`);
    this.peer.send(data(this.id, bytes));
    const echoed = await this.peer.until(() => stream.received >= before + bytes.length);
    assert.ok(echoed, `the neighbour's connection was closed: ${JSON.stringify(this.peer.goAway)}`);
    assert.equal(stream.received, before + bytes.length);
  }

  /** Repeats {@link echoes} at least `count` times and for at least `ms` milliseconds. */
  async keepsEchoing(count: number, ms: number): Promise<void> {
    const end = performance.now() + ms;
    for (let i = 0; i < count || performance.now() < end; i++) await this.echoes();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.peer[Symbol.asyncDispose]();
  }
}
