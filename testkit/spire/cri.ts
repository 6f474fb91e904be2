/** A scripted container runtime: CRI v1 on a Unix socket, which filters as containerd does. */
import * as grpc from "@grpc/grpc-js";
import { runtime } from "../../proto/gen/cri.js";
import { method, refusal, serveUnix, type UnixServer } from "./grpc.ts";

const v1 = runtime.v1;
const SERVICE = "runtime.v1.RuntimeService";
const METHODS = {
  ListPodSandbox: method(v1.ListPodSandboxRequest, v1.ListPodSandboxResponse, false),
  ListContainers: method(v1.ListContainersRequest, v1.ListContainersResponse, false),
  ContainerStatus: method(v1.ContainerStatusRequest, v1.ContainerStatusResponse, false),
  GetContainerEvents: method(v1.GetEventsRequest, v1.ContainerEventResponse, true),
};
const EVENTS = ["CREATED", "STARTED", "STOPPED", "DELETED"] as const;

type ContainerStateName = "CREATED" | "RUNNING" | "EXITED" | "UNKNOWN";
const STATES: readonly ContainerStateName[] = ["CREATED", "RUNNING", "EXITED", "UNKNOWN"];

/** A container. */
export interface ScriptedContainer {
  readonly id: string;
  readonly state: ContainerStateName;
  /** The verbose part of its status. */
  info?: Record<string, string>;
}

/** A pod. */
interface ScriptedPod {
  readonly uid: string;
  readonly ready?: boolean;
  /** The label with the uid, where it differs from `uid`. */
  readonly label?: string;
  readonly containers: readonly ScriptedContainer[];
}

/** Returns a running container with its process. */
export function running(id: string, pid: unknown): ScriptedContainer {
  return { id, state: "RUNNING", info: { info: JSON.stringify({ sandboxID: "x", pid }) } };
}

/** A runtime that the test controls. */
export class ScriptedRuntime implements AsyncDisposable {
  readonly pods = new Map<string, ScriptedPod>();
  /** The names of all called methods. */
  readonly calls: string[] = [];
  /** While true, calls get no response. */
  mute = false;
  /** Containerd before 1.7 has no events. */
  hasEvents = true;
  /** The number of refused streams of events. */
  refusedWatchers = 0;
  readonly #watchers = new Set<grpc.ServerWritableStream<unknown, unknown>>();
  readonly #server: UnixServer;

  private constructor(readonly path: string, serve: (runtime: ScriptedRuntime) => UnixServer) {
    this.#server = serve(this);
  }

  /** Starts a runtime on the socket `path`. */
  static async start(path: string): Promise<ScriptedRuntime> {
    let runtime: ScriptedRuntime | null = null;
    const handler =
      (answer: (runtime: ScriptedRuntime, request: never) => object) =>
      (call: { request: unknown }, callback: grpc.sendUnaryData<unknown>) => {
        if (runtime!.mute) return;
        try {
          callback(null, answer(runtime!, call.request as never));
        } catch (error) {
          callback(error as grpc.ServiceError);
        }
      };
    const handlers = {
      ListPodSandbox: handler((to, request) => to.#sandboxes(request)),
      ListContainers: handler((to, request) => to.#containers(request)),
      ContainerStatus: handler((to, request) => to.#status(request)),
      GetContainerEvents: (call: grpc.ServerWritableStream<unknown, unknown>) => runtime!.#watch(call),
    };
    const server = await serveUnix(path, { [SERVICE]: { methods: METHODS, handlers } });
    runtime = new ScriptedRuntime(path, () => server);
    return runtime;
  }

  /** Adds or replaces a pod. */
  add(pod: ScriptedPod): void {
    this.pods.set(pod.uid, pod);
  }

  /** The number of open streams of events. */
  get watchers(): number {
    return this.#watchers.size;
  }

  /** Sends an event of a container of the pod. */
  emit(uid: string, event: typeof EVENTS[number]): void {
    const podSandboxStatus = { id: `sandbox-${uid}`, metadata: { uid } };
    for (const watcher of this.#watchers) {
      watcher.write({ containerEventType: EVENTS.indexOf(event), podSandboxStatus });
    }
  }

  #watch(call: grpc.ServerWritableStream<unknown, unknown>): void {
    if (!this.hasEvents) {
      this.refusedWatchers++;
      return void call.emit("error", refusal(grpc.status.UNIMPLEMENTED, "unknown method GetContainerEvents"));
    }
    this.#watchers.add(call);
    call.on("cancelled", () => this.#watchers.delete(call));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server.stop();
  }

  #sandboxes({ filter }: runtime.v1.ListPodSandboxRequest): object {
    this.calls.push("ListPodSandbox");
    const uid = filter?.labelSelector["io.kubernetes.pod.uid"];
    const found = [...this.pods.values()].filter((pod) => {
      if (uid !== undefined && pod.uid !== uid) return false;
      // The message around the state shows that there is a filter, though its value is the default (R11).
      return filter?.state === null || (pod.ready ?? true) === (filter?.state?.state === 0);
    });
    const items = found.map((pod) => ({
      id: `sandbox-${pod.uid}`,
      metadata: { uid: pod.label ?? pod.uid, name: "pod", namespace: "default" },
      state: pod.ready ?? true ? 0 : 1,
      labels: { "io.kubernetes.pod.uid": pod.label ?? pod.uid },
    }));
    return { items };
  }

  #containers({ filter }: runtime.v1.ListContainersRequest): object {
    this.calls.push("ListContainers");
    const pod = this.pods.get(filter?.podSandboxId.replace(/^sandbox-/, "") ?? "");
    const state = filter?.state === null || filter === null ? null : STATES[filter.state.state];
    const containers = (pod?.containers ?? []).filter((container) => state === null || container.state === state);
    return {
      containers: containers.map(({ id, state }, index) => ({
        id,
        metadata: { name: `name-${id}` },
        createdAt: index,
        podSandboxId: filter?.podSandboxId,
        state: STATES.indexOf(state),
      })),
    };
  }

  #status({ containerId, verbose }: runtime.v1.ContainerStatusRequest): object {
    this.calls.push("ContainerStatus");
    const containers = [...this.pods.values()].flatMap((pod) => pod.containers);
    const found = containers.find(({ id }) => id === containerId);
    if (found === undefined) throw refusal(grpc.status.NOT_FOUND, `container "${containerId}": not found`);
    return { info: verbose ? found.info ?? {} : {} };
  }
}
