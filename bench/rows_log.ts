/** A proxy whose log is a pipe with a stalled reader (`docs/spec/observed.md` O51). */
import { sleep, type Started } from "./processes.ts";
import type { Variant } from "./pair.ts";
import { type Metric, oneByOne, type Plan, type Row, type RunContext, type Sample } from "./row.ts";
import type { Subject } from "./subject.ts";

const CONNECTIONS = 16;
/** Number of calls, each with one log line: more than the pipe and the queue of either proxy hold. */
const SECONDS = { full: 60, small: 10 } as const;
const END_MILLIS = 15_000;

const metrics: readonly Metric[] = [
  { id: "read", title: "calls a second while the log is read", unit: "/s", better: "higher" },
  { id: "stalled", title: "calls a second without a reader", unit: "/s", better: "higher" },
  { id: "answered", title: "calls answered without a reader", unit: "", better: "higher" },
  { id: "lost", title: "calls without an answer", unit: "", better: "lower" },
  {
    id: "end",
    title: `from SIGTERM to the end, without a reader; ${END_MILLIS} ms: did not end`,
    unit: "ms",
    better: "lower",
  },
];

async function measure(subject: Subject, plan: Plan, run: RunContext): Promise<Sample> {
  const directory = Deno.makeTempDirSync({ prefix: "ztunnel-bench-log-" });
  const pipe = `${directory}/log`;
  const reader = Promise.withResolvers<Started>();
  const variant: Variant = {
    env: { CONNECTION_TERMINATION_DEADLINE: "1s" },
    async prepare({ processes }) {
      await processes.run(["mkfifo", pipe]);
      reader.resolve(processes.start("log-reader", ["sh", "-c", 'exec cat "$0" >/dev/null', pipe]));
      return {};
    },
    before: (side) => side === "server" ? ["sh", "-c", 'exec "$@" >"$0" 2>&1', pipe] : [],
  };
  const pair = await run.another(subject, variant);
  try {
    return pair === null ? {} : await besideReader(pair, await reader.promise, SECONDS[plan.small ? "small" : "full"]);
  } finally {
    await pair?.stop();
    Deno.removeSync(directory, { recursive: true });
  }
}

async function besideReader(pair: Subject, reader: Started, seconds: number): Promise<Sample> {
  const calls = { connections: CONNECTIONS, connectionPerRequest: true } as const;
  const read = await pair.requests({ ...calls, seconds: 2 });
  Deno.kill(reader.pid, "SIGSTOP");
  const stalled = await pair.requests({ ...calls, seconds });
  return {
    read: read.perSecond,
    stalled: stalled.perSecond,
    answered: stalled.requests,
    lost: stalled.errors,
    end: await timeToEnd(pair.pair.server!),
  };
}

async function timeToEnd(proxy: Started): Promise<number> {
  const start = performance.now();
  Deno.kill(proxy.pid, "SIGTERM");
  while (proxy.alive && performance.now() - start < END_MILLIS) await sleep(10);
  return Math.min(performance.now() - start, END_MILLIS);
}

const logging = oneByOne(measure);

/** The rows of this file. */
export const LOG_ROWS: readonly Row[] = [{
  id: "log",
  title: `one request per connection, ${CONNECTIONS} at a time, while the server side's log has no reader`,
  metrics,
  once: true,
  quick: false,
  // nginx has no log of connections, and "direct" no proxy.
  measure: (subjects, plan, run) => logging(subjects.filter(({ id }) => /^(ours|rust)/.test(id)), plan, run),
}];
