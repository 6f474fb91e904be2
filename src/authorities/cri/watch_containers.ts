/**
 * Containers as they start, from the container runtime's stream of events. Containerd has it from 1.7 on and CRI-O from
 * 1.26 on; with others the pods are looked at from time to time.
 */
import { runtime } from "../../../proto/gen/cri.js";
import type { WallClock } from "../../identity/certificate_manager.ts";
import { Code, GrpcError } from "../../grpc/status.ts";
import { followStream } from "../spire/follow_stream.ts";

interface EventStream {
  read(): Promise<{ toBytes(): Uint8Array } | null>;
}

export interface ContainerWatch {
  /** Rejects with an error of any kind. */
  open(signal: AbortSignal): Promise<EventStream>;
  readonly clock: WallClock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** A container of the pod with this uid has started. */
  onStarted(uid: string): void;
}

const { ContainerEventResponse, ContainerEventType } = runtime.v1;
const LONGEST_PAUSE = 30_000;

/** Ends with `signal`, and for good with a runtime that has no events. Lost events cost time only, so nothing is logged. */
export function watchContainers({ open, clock, random, onStarted }: ContainerWatch, signal: AbortSignal): void {
  const ending = new AbortController();
  signal.addEventListener("abort", () => ending.abort(), { once: true });
  followStream<Started>({
    clock,
    random,
    longestPause: LONGEST_PAUSE,
    firstMessage: null,
    async open(until) {
      // What cannot be dialled throws at once.
      const stream = await open(until);
      return { read: async () => decode(await stream.read()) };
    },
    onMessage: ({ uid }) => uid === "" || onStarted(uid),
    onProblem({ cause }) {
      if (cause instanceof GrpcError && cause.code === Code.Unimplemented) ending.abort();
    },
    onBack() {},
  }, ending.signal);
}

/** `uid`: of the pod; empty: nothing has started. */
interface Started {
  readonly uid: string;
}

/** Null: the end of the stream. Throws for what cannot be decoded. */
function decode(message: { toBytes(): Uint8Array } | null): Started | null {
  if (message === null) return null;
  const { containerEventType, podSandboxStatus } = ContainerEventResponse.decode(message.toBytes());
  const started = containerEventType === ContainerEventType.CONTAINER_STARTED_EVENT;
  return { uid: started ? podSandboxStatus?.metadata?.uid ?? "" : "" };
}
