/** The first second of a proxy: new connections from the moment that it is ready, before the runtime has compiled much. */
import { cpuDuring } from "./cpu.ts";
import { eachFresh, type Metric, type Row } from "./row.ts";

/** wrk takes whole seconds only. */
const SECONDS = 1;
const CONNECTIONS = 16;

const metric = (id: string, title: string, unit: string, better: Metric["better"]): Metric => ({
  id,
  title,
  unit,
  better,
});

/** The rows of this file. */
export const START_ROWS: readonly Row[] = [{
  id: "first",
  title: `the first second after the start: one new connection per request, ${CONNECTIONS} at a time`,
  metrics: [
    metric("rate", "rate", "1/s", "higher"),
    metric("cpu", "CPU each, both proxies", "us", "lower"),
    metric("p50", "p50", "us", "lower"),
    metric("p99", "p99", "us", "lower"),
  ],
  once: false,
  quick: false,
  measure: eachFresh({}, async (subject) => {
    const load = { connections: CONNECTIONS, connectionPerRequest: true, seconds: SECONDS };
    const [result, times] = await cpuDuring(subject.pids, () => subject.requests(load));
    const { perSecond: rate, p50, p99, errors } = result;
    if (times.length === 0) return { rate, p50, p99, errors };
    const used = times.reduce((sum, { user, system }) => sum + user + system, 0);
    return { rate, p50, p99, errors, cpu: 1e6 * used / result.requests };
  }),
}];
