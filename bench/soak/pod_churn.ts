/** Pods that come and go: one with traffic, and pods with a new name and identity each time. */
import { makeNamespace, type Namespace } from "../../lab/namespace.ts";
import { NAMESPACE } from "../../lab/bed/mesh.ts";
import type { BedNode, BedPod } from "../../lab/bed/cluster.ts";
import { workloadOf } from "./mesh.ts";
import type { ChangingMesh } from "./mesh_churn.ts";

const STEP_MS = 5000;
/** Pods at a time. */
const KEPT = 4;
/** Steps between an end and a return of the pod with traffic. */
const GUEST_STEPS = 4;

interface ShortLived {
  readonly uid: string;
  readonly name: string;
  readonly resource: string;
  readonly netns: Namespace;
}

/** The pods of both nodes. */
export class PodChurn implements AsyncDisposable {
  readonly #mesh: ChangingMesh;
  readonly #nodes: readonly BedNode[];
  readonly #guest: BedPod;
  readonly #pods: ShortLived[][];
  #isRunning = false;
  #isGuestThere = true;
  #count = 0;

  constructor(mesh: ChangingMesh, nodes: readonly BedNode[], guest: BedPod) {
    this.#mesh = mesh;
    this.#nodes = nodes;
    this.#guest = guest;
    this.#pods = nodes.map(() => []);
  }

  /** Adds and removes pods until {@link stop}, then removes those that are left and brings the guest back. */
  async run(): Promise<void> {
    this.#isRunning = true;
    for (let step = 1; this.#isRunning; step++) {
      for (const [index, node] of this.#nodes.entries()) {
        const pods = this.#pods[index]!;
        pods.push(await this.#add(node));
        if (pods.length > KEPT) await this.#remove(node, pods.shift()!);
      }
      if (step % GUEST_STEPS === 0) await this.#moveGuest();
      await new Promise((resolve) => setTimeout(resolve, STEP_MS));
    }
    for (const [index, node] of this.#nodes.entries()) {
      for (const pod of this.#pods[index]!.splice(0)) await this.#remove(node, pod);
    }
    if (!this.#isGuestThere) await this.#moveGuest();
  }

  stop(): void {
    this.#isRunning = false;
  }

  async #add(node: BedNode): Promise<ShortLived> {
    const number = ++this.#count;
    const name = `short-${number}`;
    const ip = `10.${node.wired.number}.${100 + (number >> 8) % 100}.${number & 255}`;
    const resource = workloadOf({ name, node: node.name, ips: [ip] });
    this.#mesh.addresses.set(resource);
    const netns = await makeNamespace("short");
    const pod = { uid: `pod-${name}`, name, resource: resource.name, netns };
    const { uid } = pod;
    refuse(await node.session.add({ uid, name, namespace: NAMESPACE, serviceAccount: name, path: netns.path }), name);
    return pod;
  }

  async #remove(node: BedNode, { uid, name, resource, netns }: ShortLived): Promise<void> {
    refuse(await node.session.delete(uid), name);
    this.#mesh.addresses.remove(resource);
    await netns[Symbol.asyncDispose]();
  }

  async #moveGuest(): Promise<void> {
    if (this.#isGuestThere) await this.#guest.dismiss();
    else await this.#guest.enroll();
    this.#isGuestThere = !this.#isGuestThere;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    for (const { netns } of this.#pods.flat()) await netns[Symbol.asyncDispose]();
  }
}

function refuse(error: string, pod: string): void {
  if (error !== "") throw new Error(`the proxy refuses ${pod}: ${error}`);
}
