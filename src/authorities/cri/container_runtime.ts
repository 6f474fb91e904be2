/** Finds processes of pods by the node's container runtime (CRI v1; `docs/spec/identity-spire.md` 4.3). */
import { runtime } from "../../../proto/gen/cri.js";
import type { GrpcChannel } from "../../grpc/channel.ts";
import { codeName, GrpcError } from "../../grpc/status.ts";
import type { WallClock } from "../../net/clock.ts";
import { pidOfContainer } from "./container_info.ts";
import { watchContainers } from "./watch_containers.ts";

/** A process of a pod. */
export interface PodProcess {
  readonly pid: number;
  readonly containerId: string;
  /** The container's name in the pod's specification. */
  readonly name: string;
  /** Index of this container among the running ones, from 0, the oldest first; and the number of running ones. */
  readonly index: number;
  readonly count: number;
}

/** The calls to the runtime that are used. */
export interface ContainerRuntime {
  /**
   * Finds the process of the running container with index `turn`, or of the next one whose process is known. Rejects
   * with an error that says what is missing.
   */
  findProcess(uid: string, turn: number, signal: AbortSignal): Promise<PodProcess>;
  /** Returns the current process of this container. Rejects as {@link findProcess} does. */
  pidOf(containerId: string, signal: AbortSignal): Promise<number>;
  /** Calls `onStarted` with the uid of each pod when one of its containers starts, if the runtime sends events. */
  watch(onStarted: (uid: string) => void, signal: AbortSignal): void;
  /** Closes the connections. */
  close(): void;
}

/** What a runtime needs. */
interface ContainerRuntimeOptions {
  /** Absolute paths; the first one that exists is used. */
  readonly sockets: readonly string[];
  /** Makes a plaintext channel to a Unix socket. */
  readonly dial: (path: string) => GrpcChannel;
  readonly exists: (path: string) => boolean;
  readonly clock: WallClock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** ms per call, so that a runtime that hangs does not block attestations. */
const TIMEOUT = 5_000;
const EVENTS = "/runtime.v1.RuntimeService/GetContainerEvents";
const UID_LABEL = "io.kubernetes.pod.uid";
const v1 = runtime.v1;
const { PodSandboxState, ContainerState } = v1;

/** Returns a runtime. It connects with the first call. */
export function containerRuntime(options: ContainerRuntimeOptions): ContainerRuntime {
  return new CriRuntime(options);
}

class CriRuntime implements ContainerRuntime {
  readonly #options: ContainerRuntimeOptions;
  /** By socket. */
  readonly #channels = new Map<string, GrpcChannel>();

  constructor(options: ContainerRuntimeOptions) {
    this.#options = options;
  }

  async findProcess(uid: string, turn: number, signal: AbortSignal): Promise<PodProcess> {
    const sandbox = await this.#sandbox(uid, signal);
    const containers = await this.#running(sandbox, signal);
    const count = containers.length;
    if (count === 0) throw new CriError("NotFound", `No running containers found for pod UID: ${uid}`);
    let failure: unknown;
    // Fewer containers may be running than at the last attempt.
    for (let index = Math.min(turn, count - 1); index < count; index++) {
      const { id: containerId, name } = containers[index]!;
      try {
        return { pid: await this.pidOf(containerId, signal), containerId, name, index, count };
      } catch (error) {
        signal.throwIfAborted();
        failure ??= error;
      }
    }
    throw failure;
  }

  watch(onStarted: (uid: string) => void, signal: AbortSignal): void {
    watchContainers({
      open: (until) => this.#channel(this.#path()).serverStream(EVENTS, new Uint8Array(), {}, until),
      clock: this.#options.clock,
      random: this.#options.random,
      onStarted,
    }, signal);
  }

  async pidOf(containerId: string, signal: AbortSignal): Promise<number> {
    const request = v1.ContainerStatusRequest.encode({ containerId, verbose: true }).finish();
    const { info } = v1.ContainerStatusResponse.decode(await this.#call("ContainerStatus", request, signal));
    const pid = pidOfContainer(containerId, info);
    if (typeof pid === "string") throw new CriError("Internal", pid);
    return pid;
  }

  close(): void {
    for (const channel of this.#channels.values()) channel.close();
    this.#channels.clear();
  }

  async #sandbox(uid: string, signal: AbortSignal): Promise<string> {
    // READY is 0 and therefore not encoded, but the message around it is.
    const filter = { state: { state: PodSandboxState.SANDBOX_READY }, labelSelector: { [UID_LABEL]: uid } };
    const request = v1.ListPodSandboxRequest.encode({ filter }).finish();
    const { items } = v1.ListPodSandboxResponse.decode(await this.#call("ListPodSandbox", request, signal));
    const ready = items.filter(({ state }) => state === PodSandboxState.SANDBOX_READY);
    const [first] = ready;
    if (first === undefined) {
      const hint = "is CONTAINER_RUNTIME_SOCK_PATH the socket of the runtime that kubelet uses?";
      throw new CriError("NotFound", `No sandbox found for pod UID: ${uid} (${hint})`);
    }
    const own = ready.find(({ labels, metadata }) => (labels[UID_LABEL] ?? metadata?.uid) === uid);
    if (own !== undefined) return own.id;
    throw new CriError("Internal", `asked for pod UID ${uid}, got the sandbox of ${first.metadata?.uid ?? "nobody"}`);
  }

  /** Returns the running containers, the oldest first, so that an index means the same container in later calls. */
  async #running(podSandboxId: string, signal: AbortSignal): Promise<{ id: string; name: string }[]> {
    const filter = { state: { state: ContainerState.CONTAINER_RUNNING }, podSandboxId };
    const request = v1.ListContainersRequest.encode({ filter }).finish();
    const { containers } = v1.ListContainersResponse.decode(await this.#call("ListContainers", request, signal));
    return containers.filter(({ state }) => state === ContainerState.CONTAINER_RUNNING)
      .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1))
      .map(({ id, metadata }) => ({ id, name: metadata?.name || id }));
  }

  async #call(method: string, request: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const path = this.#path();
    try {
      const options = { timeout: TIMEOUT };
      return await this.#channel(path).unary(`/runtime.v1.RuntimeService/${method}`, request, options, signal);
    } catch (error) {
      if (!(error instanceof GrpcError)) throw error;
      if (error.stage === "call") throw new CriError(codeName(error.code), error.message);
      throw new CriError(
        codeName(error.code),
        `cannot reach the container runtime at ${path}: ${error.source ?? error.message}; ` +
          "CONTAINER_RUNTIME_SOCK_PATH must be its CRI socket, mounted into the proxy's pod",
      );
    }
  }

  #path(): string {
    const { sockets, exists } = this.#options;
    const found = sockets.find(exists);
    if (found !== undefined) return found;
    throw new CriError(
      "Unavailable",
      `no container runtime: ${sockets.join(", ")} not there; ` +
        "CONTAINER_RUNTIME_SOCK_PATH must be its CRI socket, mounted into the proxy's pod",
    );
  }

  #channel(path: string): GrpcChannel {
    const known = this.#channels.get(path);
    if (known !== undefined) return known;
    const channel = this.#options.dial(path);
    this.#channels.set(path, channel);
    return channel;
  }
}

/** `status`: the name of the gRPC code. */
class CriError extends Error {
  override readonly name = "CriError";
  constructor(readonly status: string, text: string) {
    super(`CRI error: ${text}`);
  }
}
