/** Profiles of all isolates of this process at once. */
import type { ThreadProfile } from "../admin/pprof.ts";
import type { TakeProfile } from "../admin/pprof_routes.ts";
import { threadName, type Workers } from "../control/workers/workers.ts";
import { Profiler } from "../telemetry/profiler.ts";
import type { StackProfile } from "../telemetry/stack_profile.ts";

export function profileOf(workers: Workers): TakeProfile {
  const main = new Profiler();
  return async (what, interval, millis) => {
    for (const worker of workers.all) worker.send({ kind: "profile", order: { kind: "start", what, interval } });
    main.start(what, interval);
    await new Promise((resolve) => setTimeout(resolve, millis));
    const profiles: Promise<ThreadProfile>[] = [
      named("main", new Promise<StackProfile>((resolve) => main.stop(resolve))),
      ...workers.all.map((worker, i) => named(threadName(i), worker.profile())),
    ];
    return await Promise.all(profiles);
  };
}

async function named(thread: string, profile: Promise<StackProfile>): Promise<ThreadProfile> {
  return { thread, profile: await profile };
}
