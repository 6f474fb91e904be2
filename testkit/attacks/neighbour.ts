/** A well-behaved peer of the same proxy: an echo through a tunnel, before, during and after an attack. */
import { strict as assert } from "node:assert";
import { data } from "../../src/h2/testkit/frames.ts";
import { Peer } from "./peer.ts";
import type { Target } from "./target.ts";

export class Neighbour implements AsyncDisposable {
  /** Its connection, and the one to the application. */
  static readonly DESCRIPTORS = 2;
  #count = 0;

  private constructor(readonly peer: Peer, readonly id: number) {}

  static async open(target: Target): Promise<Neighbour> {
    const peer = await Peer.connect(target.site);
    const id = peer.tunnel(target.authority("echo"));
    await peer.until(() => peer.stream(id).status !== null);
    assert.equal(peer.stream(id).status, "200");
    return new Neighbour(peer, id);
  }

  /** Sends a few bytes and waits until they are back. */
  async echoes(): Promise<void> {
    const stream = this.peer.stream(this.id), before = stream.received;
    const bytes = new TextEncoder().encode(`echo ${this.#count++}`);
    this.peer.send(data(this.id, bytes));
    const came = await this.peer.until(() => stream.received >= before + bytes.length);
    assert.ok(came, `the neighbour was cut: ${JSON.stringify(this.peer.goAway)}`);
    assert.equal(stream.received, before + bytes.length);
  }

  /** Echoes again and again: `count` times, and for `ms`. */
  async keepsEchoing(count: number, ms: number): Promise<void> {
    const end = performance.now() + ms;
    for (let i = 0; i < count || performance.now() < end; i++) await this.echoes();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.peer[Symbol.asyncDispose]();
  }
}
