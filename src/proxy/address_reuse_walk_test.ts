/** Random adds, removals and moves of workloads with one identity: no connection reaches another pod than was meant. */
import { strict as assert } from "node:assert";
import { at, Testbed, workloadAt } from "../dataplane/testkit/testbed.ts";
import { rawServer } from "../hbone/testkit/peer.ts";
import type { TestSocket } from "../hbone/testkit/socket.ts";
import type { MeshChange } from "../mesh/model/changes.ts";

const CLIENT = "10.0.0.1", IPS = ["10.0.0.2", "10.0.0.3"] as const, NAMES = ["one", "two", "three"] as const;
const IDENTITY = "spiffe://cluster.local/ns/default/sa/server";
type PodName = typeof NAMES[number];

/** A pod that has an address; a later one with the same name is another pod. */
interface Pod {
  readonly name: PodName;
  readonly generation: number;
}

/** The mesh, and which pod has which address. A server answers as the pod that had the address when it was dialled. */
class Walk {
  readonly bed = new Testbed();
  readonly client = this.bed.node("client", CLIENT);
  readonly owners = new Map<string, Pod>();
  readonly calls: { readonly meant: string; readonly app: TestSocket }[] = [];
  #generation = 0;

  constructor(readonly below: (limit: number) => number) {
    // Calls wait for a connection until the test issues the certificate.
    this.client.certificates = "hold";
    for (const [i, ip] of IPS.entries()) {
      rawServer(this.bed.host(ip), at(`${ip}:15008`), this.bed.context(IDENTITY), {}, (peer) => {
        const pod = textOf(this.owners.get(ip));
        peer.answer = ({ stream }) => {
          stream.respond([[":status", "200"]], false);
          const bytes = new TextEncoder().encode(pod);
          const room = stream.reserve(bytes.length, 1 << 16)!;
          room.bytes.set(bytes, room.segments[0]!);
          stream.commit(bytes.length, true);
        };
      });
      this.move(NAMES[i]!, ip);
    }
  }

  /** Gives the address to a workload, sometimes before the last one is removed from the mesh. */
  move(name: PodName, ip: string): void {
    if (this.owners.get(ip)?.name === name) return;
    const removals: MeshChange[] = [];
    for (const [at, owner] of [...this.owners]) {
      if (at !== ip && owner.name !== name) continue;
      this.owners.delete(at);
      removals.push({ kind: "remove-address", name: `Kubernetes//Pod/default/${owner.name}` });
    }
    this.owners.set(ip, { name, generation: this.#generation++ });
    if (this.below(2) === 0) this.bed.apply(...removals);
    this.bed.apply(workloadAt(name, ip, { protocol: "HBONE", serviceAccount: "server" }));
  }

  call(ip: string): void {
    const owner = this.owners.get(ip);
    if (owner === undefined) return;
    this.calls.push({ meant: textOf(owner), app: this.bed.connect(CLIENT, `${ip}:8080`).send("x") });
  }

  step(): void {
    const ip = IPS[this.below(IPS.length)]!;
    switch (this.below(5)) {
      case 0:
        return this.move(NAMES[this.below(NAMES.length)]!, ip);
      case 1:
        this.calls[this.below(this.calls.length)]?.app.end();
        return;
      default:
        return this.call(ip);
    }
  }
}

function textOf(pod: Pod | undefined): string {
  return pod === undefined ? "no pod" : `${pod.name}, ${pod.generation}`;
}

Deno.test("random adds, removals and moves of workloads: a connection reaches the pod that it was meant for, or fails", () => {
  let answered = 0, failed = 0;
  for (let seed = 1; seed <= 15; seed++) {
    let last = seed;
    const walk = new Walk((limit) => (last = (last * 48271) % 0x7fffffff) % limit);
    for (let i = 0; i < 60; i++) {
      if (i === 15) walk.client.issueCertificate();
      walk.step();
      walk.bed.run();
    }
    for (const { meant, app } of walk.calls) {
      if (app.text !== "") assert.equal(app.text, meant, `seed ${seed}`);
      if (app.text === "") failed++;
      else answered++;
      app.end();
    }
    walk.bed.assertClean();
  }
  assert.ok(answered > 100 && failed > 20, `${answered} were answered, ${failed} failed`);
});
