import { strict as assert } from "node:assert";
import { Environment } from "./environment.ts";
import { workerThreads } from "./worker_threads.ts";

interface Case {
  readonly id: string;
  readonly env: Readonly<Record<string, string>>;
  readonly workers: number;
  readonly detected?: number;
  readonly concurrency?: number;
}

const THREADS = "ZTUNNEL_WORKER_THREADS";
const CPUS = "ZTUNNEL_CPU_LIMIT";
const LIMIT = "ZTUNNEL_RESOURCE_CPU_LIMIT";
const REQUEST = "ZTUNNEL_RESOURCE_CPU_REQUEST";

/** C18 to C21 expect the automatic number of the Rust ztunnel there; ours is stated in `worker_threads.ts`. */
const CASES: readonly Case[] = [
  { id: "C12", env: { [THREADS]: "4" }, workers: 4 },
  { id: "C13", env: { [CPUS]: "8", [THREADS]: "50%" }, workers: 4 },
  { id: "C14", env: { [CPUS]: "16", [THREADS]: "30%" }, workers: 5 },
  { id: "C15", env: { [CPUS]: "4", [THREADS]: "10%" }, workers: 1 },
  { id: "C16", env: {}, concurrency: 2, workers: 2 },
  { id: "C17 node", env: { [CPUS]: "12", [THREADS]: "0" }, workers: 12 },
  { id: "C17 container", env: { [CPUS]: "12", [LIMIT]: "3", [THREADS]: "0" }, workers: 3 },
  { id: "C18 limit 16", env: { [LIMIT]: "16" }, workers: 4 },
  { id: "C18 limit 1", env: { [LIMIT]: "1" }, workers: 1 },
  { id: "C18 limit 500m", env: { [LIMIT]: "500m" }, workers: 1 },
  { id: "C18 limit 2500m", env: { [LIMIT]: "2500m" }, workers: 2 },
  { id: "C18 limit 1.5", env: { [LIMIT]: "1.5" }, workers: 1 },
  { id: "C19", env: { [CPUS]: "32" }, workers: 4 },
  { id: "C20 request 8", env: { [REQUEST]: "8" }, detected: 2, workers: 4 },
  { id: "C20 request 1", env: { [REQUEST]: "1" }, detected: 4, workers: 2 },
  { id: "C21 limit 16, request 4", env: { [LIMIT]: "16", [REQUEST]: "4" }, workers: 4 },
  { id: "C21 limit 4, request 8", env: { [LIMIT]: "4", [REQUEST]: "8" }, workers: 4 },
  { id: "C22 threads 0", env: { [CPUS]: "6", [THREADS]: "0" }, workers: 6 },
  { id: "C22 concurrency 0", env: { [CPUS]: "6" }, concurrency: 0, workers: 6 },
  { id: "two CPUs", env: {}, detected: 2, workers: 1 },
  { id: "three CPUs", env: {}, detected: 3, workers: 2 },
  { id: "no CPU at all", env: { [CPUS]: "0", [THREADS]: "0" }, workers: 1 },
];

for (const { id, env, workers, detected = 4, concurrency = null } of CASES) {
  Deno.test(`config ${id}: ${workers} workers`, () => {
    assert.equal(workerThreads(new Environment(env), detected, concurrency), workers);
  });
}

const REFUSED: readonly (readonly [string, string, string])[] = [
  [THREADS, "0%", "percentage must be between 0 and 100"],
  [THREADS, "101%", "percentage must be between 0 and 100"],
  [THREADS, "x%", "invalid percentage: invalid float literal"],
  [THREADS, "-1", "invalid number: invalid digit found in string"],
  [LIMIT, "0", "must be a positive CPU quantity"],
  [LIMIT, "inf", "must be a positive CPU quantity"],
  [REQUEST, "", "cannot parse float from empty string"],
  [CPUS, "99999999999999999999", "number too large to fit in target type"],
];
for (const [name, value, reason] of REFUSED) {
  Deno.test(`config C23: ${name}=${value} is refused`, () => {
    const environment = new Environment({ [THREADS]: "1", [name]: value });
    assert.throws(() => workerThreads(environment, 4, null), {
      message: `invalid env var ${name}=${value} (${reason})`,
    });
  });
}
