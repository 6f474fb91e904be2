/**
 * One stream over a link with a long round trip: a proxy whose windows or buffers are too small, or that sends credit
 * late, cannot fill the link. `direct` shows what TCP alone reaches, limited by the kernel's largest socket buffers.
 */
import { cpuDuring } from "./cpu.ts";
import { eachFresh, type Metric, type Plan, type Round, type Row, type Sample } from "./row.ts";
import { bulkCpu } from "./rows_traffic.ts";
import type { Subject } from "./subject.ts";

const MB = 1e6;
const LEAST_SECONDS = 3;
const DIRECTIONS = ["up", "down"] as const;

/** Round trips in milliseconds, and for how many seconds a connection may grow its windows before the rate counts. */
const LINKS = [{ roundTrip: 50, growSeconds: 4 }, { roundTrip: 200, growSeconds: 6 }] as const;
type LongLink = (typeof LINKS)[number];

const metrics: readonly Metric[] = LINKS.flatMap(({ roundTrip }) =>
  DIRECTIONS.flatMap((direction): Metric[] => [
    { id: `${direction}${roundTrip}`, title: `${direction}load, ${roundTrip} ms`, unit: "MB/s", better: "higher" },
    { id: `${direction}Cpu${roundTrip}`, title: "  CPU per GB and hop", unit: "s", better: "lower" },
  ])
);

async function measure(subject: Subject, plan: Plan, { roundTrip, growSeconds }: LongLink): Promise<Sample> {
  const seconds = plan.small ? LEAST_SECONDS : 2 * Math.max(plan.seconds, LEAST_SECONDS);
  let sample: Sample = {};
  for (const direction of DIRECTIONS) {
    const load = { direction, streams: 1, amount: { seconds }, omitSeconds: growSeconds };
    const [result, times] = await cpuDuring(subject.pids, () => subject.bulk(load));
    sample = { ...sample, [`${direction}${roundTrip}`]: result.bytesPerSecond / MB };
    // The CPU time covers the whole load, so the bytes do too.
    const { cpu } = bulkCpu({ ...result, bytes: result.bytes + result.omittedBytes }, times);
    if (cpu !== undefined) sample = { ...sample, [`${direction}Cpu${roundTrip}`]: cpu };
  }
  return sample;
}

/** All subjects on one link, then all on the next. */
const onEach = LINKS.map((link) =>
  eachFresh({ link: { delayMillis: link.roundTrip / 2 } }, (subject, plan) => measure(subject, plan, link))
);

/** The rows of this file. */
export const LONG_LINK_ROWS: readonly Row[] = [{
  id: "longlink",
  title: "one stream over a long round trip",
  metrics,
  once: true,
  quick: true,
  async measure(subjects, plan, run) {
    const round = new Map<string, Sample>();
    for (const measureAll of plan.small ? onEach.slice(0, 1) : onEach) {
      const part: Round = await measureAll(subjects, plan, run);
      for (const [id, sample] of part) round.set(id, { ...round.get(id), ...sample });
    }
    return round;
  },
}];
