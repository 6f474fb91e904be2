/** Runs the application of a pod as a client (`tests/peers/kubernetes/app`), and reads what it counted. */
import type { Program } from "../program.ts";
import type { KubernetesCluster } from "./cluster.ts";
import { NAMESPACE } from "./objects.ts";

/** How long one run of a client lasts, within a longer action. */
const DIAL_SECONDS = "5";

/** What a client counted. */
export interface Counts {
  readonly good: number;
  /** How many failed, by reason. */
  readonly failed: Readonly<Record<string, number>>;
  /** The server's answer to `once`. */
  readonly answer?: string;
}

/** A client that runs. */
interface RunningClient extends AsyncDisposable {
  /** Waits for its end. */
  counts(): Promise<Counts>;
}

/** Starts `app COMMAND ...` in a pod. */
export function startClient(cluster: KubernetesCluster, pod: string, ...args: readonly string[]): RunningClient {
  const program = cluster.startKubectl("-n", NAMESPACE, "exec", pod, "--", "/usr/local/bin/app", ...args);
  return { counts: () => countsOf(program), [Symbol.asyncDispose]: () => program[Symbol.asyncDispose]() };
}

/** Runs `app COMMAND ...` in a pod to its end. */
export async function runClient(cluster: KubernetesCluster, pod: string, ...args: readonly string[]): Promise<Counts> {
  await using client = startClient(cluster, pod, ...args);
  return await client.counts();
}

/**
 * Opens a new connection for each question, one after the other, by two workers in a pod, for as long as `action` takes.
 * Returns what was counted.
 */
export async function dialDuring(
  cluster: KubernetesCluster,
  pod: string,
  address: string,
  action: () => Promise<unknown>,
): Promise<Counts> {
  const all = { good: 0, failed: {} as Record<string, number> };
  let isOver = false;
  const ended = action().finally(() => isOver = true);
  do {
    const { good, failed } = await runClient(cluster, pod, "dial", address, DIAL_SECONDS, "2");
    all.good += good;
    for (const [reason, count] of Object.entries(failed)) all.failed[reason] = (all.failed[reason] ?? 0) + count;
  } while (!isOver);
  await ended;
  return all;
}

/** Returns the sum of the failures. */
export function failuresOf({ failed }: Counts): number {
  return Object.values(failed).reduce((sum, count) => sum + count, 0);
}

async function countsOf(program: Program): Promise<Counts> {
  const { output, code } = await program.ended();
  const last = output.trim().split("\n").findLast((line) => line.startsWith("{"));
  if (last === undefined) throw new Error(`the client ended with ${code} and counted nothing: ${output}`);
  return JSON.parse(last);
}
