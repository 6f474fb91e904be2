/**
 * How many data-plane workers run (`docs/spec/config-admin.md` 1.8).
 *
 *     ZTUNNEL_WORKER_THREADS   N, `N%` of the CPUs, 0 = as many as CPUs
 *     else `concurrency` of the proxy configuration (0 = as many as CPUs)
 *     else automatic
 *
 * The automatic number is ours: 1 up to 2 CPUs, then half of them, at most 4 (`docs/spec/dataplane-speed.md` 6: a
 * second worker halves what is batched per turn, so it pays only where CPUs are free). CPUs are the container's limit
 * where one is stated, raised to its request, else the CPUs seen.
 */
import type { Environment } from "./environment.ts";
import { parseCpuQuantity, type Parsed, parsed, parseFloat64, parseU64, refused } from "./scalars.ts";

const AUTOMATIC_MAX = 4;

/** `detected`: CPUs as the runtime sees them. `concurrency`: of the proxy configuration, null where unset. */
export function workerThreads(environment: Environment, detected: number, concurrency: number | null): number {
  // All of these are parsed even where they do not count: a bad value is fatal in any case.
  const limit = environment.parse("ZTUNNEL_RESOURCE_CPU_LIMIT", parseCpuQuantity);
  const request = environment.parse("ZTUNNEL_RESOURCE_CPU_REQUEST", parseCpuQuantity);
  const nodeLimit = environment.parse("ZTUNNEL_CPU_LIMIT", parseU64);
  const cpus = limit === null ? nodeLimit ?? detected : Math.ceil(limit);
  const fallback = concurrency === null ? automatic(Math.max(cpus, Math.ceil(request ?? 0))) : concurrency || cpus;
  const wanted = environment.parse("ZTUNNEL_WORKER_THREADS", (text) => parseThreads(text, cpus));
  return Math.max(wanted ?? fallback, 1);
}

function automatic(cpus: number): number {
  return cpus <= 2 ? 1 : Math.min(Math.ceil(cpus / 2), AUTOMATIC_MAX);
}

function parseThreads(text: string, cpus: number): Parsed<number> {
  if (text.endsWith("%")) return parsePercentage(text.slice(0, -1), cpus);
  const count = parseU64(text);
  if (!count.ok) return refused(`invalid number: ${count.reason}`);
  return parsed(count.value || cpus);
}

function parsePercentage(text: string, cpus: number): Parsed<number> {
  const percentage = parseFloat64(text);
  if (!percentage.ok) return refused(`invalid percentage: ${percentage.reason}`);
  if (!(percentage.value > 0 && percentage.value <= 100)) return refused("percentage must be between 0 and 100");
  return parsed(Math.max(1, Math.ceil(cpus * percentage.value / 100)));
}
