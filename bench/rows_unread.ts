/**
 * One identity with many connections sends bytes that its applications do not read: how much the server's proxy then
 * holds, and what rate is left for a neighbour.
 */
import { startApps, startAttacker } from "./attackers.ts";
import { peakBytes, resetPeak } from "./cpu.ts";
import { sleep } from "./processes.ts";
import { eachFresh, type Plan, type Row, type Sample } from "./row.ts";
import { scriptedCa } from "./rows_stall.ts";
import type { Subject } from "./subject.ts";

const NEIGHBOURS = 4;
/** Connections of the greedy identity, each with eight streams that fill one window. */
const GREEDY = 50, SMALL_GREEDY = 8;
/** Time until most of what they may send has been sent. */
const LEAD_MILLIS = 6000;
/** A fresh pair has to get its certificates and to compile its code. */
const WARM_UP_SECONDS = 3;
const MB = 1e6;
/** The limit that a proxy has in a container of 512 MiB. */
const HELD_BYTES_MAX = 64 << 20;

async function measure(subject: Subject, plan: Plan): Promise<Sample> {
  const pid = subject.pair.server?.pid;
  if (pid === undefined || subject.kind.entry !== "redirect-all") return {};
  const apps = await startApps(subject);
  try {
    await subject.requests({ connections: NEIGHBOURS, seconds: WARM_UP_SECONDS });
    const load = { connections: NEIGHBOURS, seconds: plan.seconds };
    const quiet = await subject.requests(load);
    resetPeak(pid);
    const connections = plan.small ? SMALL_GREEDY : GREEDY;
    const lifetime = Math.ceil(LEAD_MILLIS / 1000) + 2 * plan.seconds + 10;
    const attacker = await startAttacker(subject, "unread-streams", apps.ports, connections, lifetime);
    await sleep(LEAD_MILLIS);
    const beside = await subject.requests(load);
    const peak = peakBytes(pid);
    await attacker.stop();
    return { rate: beside.perSecond / quiet.perSecond, peak: peak / MB, errors: quiet.errors + beside.errors };
  } finally {
    await apps.started.stop();
  }
}

/** The rows of this file. */
export const UNREAD_ROWS: readonly Row[] = [{
  id: "unread",
  title: `${GREEDY} connections of one identity, filled with unread bytes`,
  metrics: [
    { id: "rate", title: "rate of a neighbour, relative to its rate before", unit: "x", better: "higher" },
    { id: "peak", title: "peak RSS of the server's proxy", unit: "MB", better: "lower" },
  ],
  once: true,
  quick: true,
  measure: eachFresh({ env: { HELD_BYTES_MAX: `${HELD_BYTES_MAX}` }, prepare: scriptedCa }, measure),
}];
