/** Profiles of all isolates of this process at once. */
import type { ThreadProfile } from "../admin/pprof.ts";
import type { Profile } from "../admin/pprof_routes.ts";
import { type CpuProfile, CpuProfiler } from "../telemetry/cpu_profile.ts";
import type { Workers } from "../control/workers/workers.ts";

export function profileOf(workers: Workers): Profile {
  const main = new CpuProfiler();
  return async (interval, millis) => {
    for (const worker of workers.all) worker.send({ kind: "profile", order: { kind: "start", interval } });
    main.start(interval);
    await new Promise((resolve) => setTimeout(resolve, millis));
    const profiles: Promise<ThreadProfile>[] = [
      named("main", new Promise<CpuProfile>((resolve) => main.stop(resolve))),
      ...workers.all.map((worker, i) => named(`data-plane-${i}`, worker.profile())),
    ];
    return await Promise.all(profiles);
  };
}

async function named(thread: string, profile: Promise<CpuProfile>): Promise<ThreadProfile> {
  return { thread, profile: await profile };
}
