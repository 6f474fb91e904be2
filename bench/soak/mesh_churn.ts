/** A control plane whose mesh changes all the time. */
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, type ResourceType } from "../../src/xds/resources.ts";
import { ControlPlane } from "../../testkit/control_plane.ts";
import type { AdsStream, ScriptedResource } from "../../testkit/control_plane_stream.ts";
import { serviceResource, workloadResource } from "../../testkit/mesh_resources.ts";
import { POLICED } from "./load.ts";
import { harmlessPolicy, portPolicy } from "./mesh.ts";

/** Workloads and services besides those of the run; no traffic goes to them. */
const WORKLOADS = 200, SERVICES = 40, POLICIES = 10;
const STEP_MS = 1000;
/** Steps between two changes of the policy that cuts connections. */
const POLICED_STEPS = 10;

interface Changes {
  readonly changed: Map<string, ScriptedResource>;
  readonly removed: Set<string>;
}

/** The changes of one kind of resource: what there is, and what the proxies have not received. */
class Resources {
  readonly all = new Map<string, ScriptedResource>();
  #changes = noChanges();

  set(resource: ScriptedResource): void {
    this.all.set(resource.name, resource);
    this.#changes.changed.set(resource.name, resource);
    this.#changes.removed.delete(resource.name);
  }

  remove(name: string): void {
    this.all.delete(name);
    this.#changes.changed.delete(name);
    this.#changes.removed.add(name);
  }

  take(): Changes {
    const changes = this.#changes;
    this.#changes = noChanges();
    return changes;
  }
}

/** The control plane. It serves a fixed number of proxies, by a Unix socket. */
export class ChangingMesh implements AsyncDisposable {
  readonly addresses = new Resources();
  readonly policies = new Resources();
  readonly #plane: ControlPlane;
  readonly #streams: AdsStream[] = [];
  #nonce = 0;
  #isRunning = false;
  #step = 0;

  private constructor(plane: ControlPlane) {
    this.#plane = plane;
    for (let i = 0; i < WORKLOADS; i++) this.addresses.set(workloadResource(i, SERVICES));
    for (let i = 0; i < SERVICES; i++) this.addresses.set(serviceResource(i));
    for (let i = 0; i < POLICIES; i++) this.policies.set(harmlessPolicy(i));
  }

  static async start(path: string): Promise<ChangingMesh> {
    return new ChangingMesh(await ControlPlane.start({ path }));
  }

  /** The value of `XDS_ADDRESS`. */
  get url(): string {
    return this.#plane.url;
  }

  /** Waits for a proxy and sends it the whole mesh. */
  async accept(): Promise<void> {
    const stream = await this.#plane.stream();
    await stream.request();
    await stream.request();
    await stream.push(ADDRESS_TYPE, this.#nextNonce(), [...this.addresses.all.values()]);
    await stream.push(AUTHORIZATION_TYPE, this.#nextNonce(), [...this.policies.all.values()]);
    this.#streams.push(stream);
  }

  /** Changes the mesh every second until {@link stop}. Throws when a proxy refuses a resource or does not answer. */
  async run(): Promise<void> {
    for (this.#isRunning = true; this.#isRunning; await new Promise((resolve) => setTimeout(resolve, STEP_MS))) {
      this.#change(this.#step++);
      await this.#push();
    }
  }

  stop(): void {
    this.#isRunning = false;
  }

  #change(step: number): void {
    for (const i of [2 * step, 2 * step + 1]) {
      this.addresses.set(workloadResource(WORKLOADS + i, SERVICES));
      this.addresses.remove(workloadResource(i, SERVICES).name);
    }
    this.addresses.set(workloadResource(WORKLOADS + 2 * step, SERVICES, step));
    const service = serviceResource(step % SERVICES);
    if (step % 2 === 0) this.addresses.remove(service.name);
    else this.addresses.set(serviceResource((step - 1) % SERVICES));
    this.policies.set(harmlessPolicy(POLICIES + step));
    this.policies.remove(harmlessPolicy(step).name);
    const policed = portPolicy(POLICED);
    if (step % POLICED_STEPS !== 0) return;
    if (step % (2 * POLICED_STEPS) === 0) this.policies.set(policed);
    else this.policies.remove(policed.name);
  }

  async #push(): Promise<void> {
    const kinds = [[ADDRESS_TYPE, this.addresses], [AUTHORIZATION_TYPE, this.policies]] as const;
    for (const [type, resources] of kinds) {
      const { changed, removed } = resources.take();
      if (changed.size + removed.size === 0) continue;
      await Promise.all(this.#streams.map((stream) => this.#send(stream, type, [...changed.values()], [...removed])));
    }
  }

  async #send(stream: AdsStream, type: ResourceType, changed: ScriptedResource[], removed: string[]): Promise<void> {
    await stream.push(type, this.#nextNonce(), changed, removed);
  }

  #nextNonce(): string {
    return `${++this.#nonce}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await this.#plane.stop();
  }
}

function noChanges(): Changes {
  return { changed: new Map(), removed: new Set() };
}
