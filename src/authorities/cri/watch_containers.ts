/**
 * Reports containers that start, from the container runtime's stream of events. Containerd has it since 1.7 and CRI-O
 * since 1.26. With other runtimes failed attestations are retried periodically.
 */
import { runtime } from "../../../proto/gen/cri.js";
import { Code, GrpcError } from "../../grpc/status.ts";
import type { WallClock } from "../../net/clock.ts";
import { followStream } from "../spire/follow_stream.ts";

interface EventStream {
  read(): Promise<{ toBytes(): Uint8Array } | null>;
}

/** What a watch needs. */
interface ContainerWatch {
  /** Opens the stream of events. May reject with any error. */
  open(signal: AbortSignal): Promise<EventStream>;
  readonly clock: WallClock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Called when a container of the pod with this uid has started. */
  onStarted(uid: string): void;
}

const { ContainerEventResponse, ContainerEventType } = runtime.v1;
const LONGEST_PAUSE = 30_000;

/**
 * Watches until `signal` is aborted or the runtime turns out to have no events. Failures are not logged, as missed
 * events only delay retries.
 */
export function watchContainers({ open, clock, random, onStarted }: ContainerWatch, signal: AbortSignal): void {
  const ending = new AbortController();
  signal.addEventListener("abort", () => ending.abort(), { once: true });
  followStream<Started>({
    clock,
    random,
    longestPause: LONGEST_PAUSE,
    firstMessage: null,
    async open(until) {
      // In an async function, as `open` throws synchronously where no socket exists.
      const stream = await open(until);
      return { read: async () => decode(await stream.read()) };
    },
    onMessage: ({ uid }) => uid === "" || onStarted(uid),
    onProblem({ cause }) {
      if (cause instanceof GrpcError && cause.code === Code.Unimplemented) ending.abort();
    },
    onRecovered() {},
  }, ending.signal);
}

/** An event. `uid`: of the pod whose container has started; empty: another event. */
interface Started {
  readonly uid: string;
}

/** Returns null at the end of the stream. Throws for a malformed message. */
function decode(message: { toBytes(): Uint8Array } | null): Started | null {
  if (message === null) return null;
  const { containerEventType, podSandboxStatus } = ContainerEventResponse.decode(message.toBytes());
  const started = containerEventType === ContainerEventType.CONTAINER_STARTED_EVENT;
  return { uid: started ? podSandboxStatus?.metadata?.uid ?? "" : "" };
}
