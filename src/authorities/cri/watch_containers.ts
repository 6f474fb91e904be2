/**
 * Reports starting containers, from the container runtime's stream of events. Containerd has it since 1.7 and CRI-O
 * since 1.26; with other runtimes the pods are polled.
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

/** Ends with `signal`, or when the runtime has no events. Lost events only cost time, so nothing is logged. */
export function watchContainers({ open, clock, random, onStarted }: ContainerWatch, signal: AbortSignal): void {
  const ending = new AbortController();
  signal.addEventListener("abort", () => ending.abort(), { once: true });
  followStream<Started>({
    clock,
    random,
    longestPause: LONGEST_PAUSE,
    firstMessage: null,
    async open(until) {
      // An address that cannot be dialled makes the call throw at once.
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

/** `uid`: of the pod; empty: the event is not a start. */
interface Started {
  readonly uid: string;
}

/** Null: the stream has ended. Throws for bytes that cannot be decoded. */
function decode(message: { toBytes(): Uint8Array } | null): Started | null {
  if (message === null) return null;
  const { containerEventType, podSandboxStatus } = ContainerEventResponse.decode(message.toBytes());
  const started = containerEventType === ContainerEventType.CONTAINER_STARTED_EVENT;
  return { uid: started ? podSandboxStatus?.metadata?.uid ?? "" : "" };
}
