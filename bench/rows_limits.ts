/** Whether a pair works with many connections and bulk where memory and CPU time are limited, as in a pod. */
import { ControlGroup } from "../lab/control_group.ts";
import { Crowd } from "./crowd.ts";
import type { Side } from "./rig.ts";
import { type Metric, oneByOne, type Plan, type Row, type RunContext, type Sample } from "./row.ts";
import { ONE_STREAM_EACH } from "./rows_peers.ts";
import type { GroupResult } from "./sender.ts";
import type { Subject } from "./subject.ts";

interface Case {
  readonly id: string;
  readonly title: string;
  readonly env: Readonly<Record<string, string>>;
  readonly memoryMib: number;
  readonly milliCpu: number | null;
  readonly connections: number;
}

const MIB = 1 << 20;
const BULK_SECONDS = 2;
/** Each connection gets a message while bulk runs, and another one after it. */
const EVERY_MILLIS = 2000;
const SENDING_SECONDS = 5;

/** Over as few HBONE connections as the proxies choose, 100 streams on each. */
const STREAMS = { id: "c", title: "connections", env: {} } as const;
/** An HBONE connection for each. */
const TUNNELS = { id: "h", title: "connections, an HBONE connection each", env: ONE_STREAM_EACH } as const;

function memoryCase(memoryMib: number, connections: number, kind: typeof STREAMS | typeof TUNNELS): Case {
  const id = `m${memoryMib}${kind.id}${connections}`;
  const title = `${memoryMib} MiB, ${connections} ${kind.title}`;
  return { id, title, env: kind.env, memoryMib, milliCpu: null, connections };
}

const CASES: readonly Case[] = [
  memoryCase(128, 2000, STREAMS),
  memoryCase(256, 10_000, STREAMS),
  memoryCase(192, 10_000, STREAMS),
  memoryCase(128, 10_000, STREAMS),
  memoryCase(128, 2000, TUNNELS),
  memoryCase(256, 10_000, TUNNELS),
  { ...memoryCase(256, 2000, TUNNELS), id: "cpu200h2000", title: "the same with 2000 and 200m CPU", milliCpu: 200 },
];
/** Cases of the short run. */
const SMALL = ["m128c2000", "m128h2000"];

const metrics = CASES.flatMap(({ id, title }): Metric[] => [
  { id: `${id}Lives`, title: `${title}: 1 lives, 0 killed`, unit: "", better: "higher" },
  { id: `${id}Failed`, title: "  failed connections and messages", unit: "", better: "lower" },
  { id: `${id}Bulk`, title: "  upload meanwhile", unit: "MiB/s", better: "higher" },
  { id: `${id}Client`, title: "  peak of the group, client side", unit: "MiB", better: "lower" },
  { id: `${id}Server`, title: "  peak of the group, server side", unit: "MiB", better: "lower" },
]);

async function measure(subject: Subject, plan: Plan, run: RunContext): Promise<Sample> {
  let sample: Sample = {};
  for (const one of CASES) {
    if (!plan.small || SMALL.includes(one.id)) sample = { ...sample, ...await measureCase(subject, one, run) };
  }
  return sample;
}

let groups = 0;

async function measureCase(subject: Subject, one: Case, run: RunContext): Promise<Sample> {
  const { id, env, memoryMib, milliCpu, connections } = one;
  const number = groups++;
  const make = (side: Side) =>
    ControlGroup.create(`zt-bench-${Deno.pid}-${number}-${side}`, { memoryBytes: memoryMib * MIB, milliCpu });
  const group = { client: make("client"), server: make("server") };
  try {
    const fresh = await run.another(subject, { env, before: (side) => group[side].inside });
    if (fresh === null) return {};
    try {
      const { failed, rate } = await load(fresh, connections);
      const lives = fresh.alive && group.client.killed + group.server.killed === 0;
      return {
        [`${id}Lives`]: lives ? 1 : 0,
        [`${id}Failed`]: failed,
        [`${id}Bulk`]: rate,
        [`${id}Client`]: group.client.peak / MIB,
        [`${id}Server`]: group.server.peak / MIB,
      };
    } finally {
      await fresh.stop();
    }
  } finally {
    group.client.remove();
    group.server.remove();
  }
}

/** Bulk begins once all connections are open. If a proxy ends before that, the failures are the result. */
async function load(subject: Subject, connections: number): Promise<{ failed: number; rate: number }> {
  const everybody = { connections, everyMillis: EVERY_MILLIS, pick: null };
  const crowd = await Crowd.start(subject, [everybody], SENDING_SECONDS);
  const bulk = subject.alive
    ? subject.bulk({ direction: "up", streams: 1, amount: { seconds: BULK_SECONDS } }).then(
      ({ bytesPerSecond }) => bytesPerSecond / MIB,
      () => 0,
    )
    : 0;
  const results = await crowd.results();
  return { failed: results.reduce((sum, result) => sum + failures(result), 0), rate: await bulk };
}

/** A lost connection counts once, whatever the reason; a failed message on an open one counts as well. */
function failures({ failed, closed, sent, answered }: GroupResult): number {
  return failed + Math.max(closed, sent - answered);
}

const measureAll = oneByOne(measure);

/** The rows of this file. */
export const LIMIT_ROWS: readonly Row[] = [{
  id: "limits",
  title: "connections and an upload, each proxy in a control group",
  metrics,
  once: true,
  quick: true,
  measure: (subjects, plan, run) => measureAll(subjects.filter(({ kind }) => kind.entry === "redirect-all"), plan, run),
}];
