/** CPU of a pair with and without somebody who looks at it. */
import { busySeconds } from "./cpu.ts";
import type { RequestLoad } from "./loads.ts";
import type { Subject } from "./subject.ts";

/** Runs of each kind. They alternate, so that changes of the machine affect both kinds. */
const RUNS = 3;

interface Compared {
  /** us of CPU of both proxies for each request. */
  readonly without: number;
  readonly with: number;
  /** Requests while somebody looked. */
  readonly requests: number;
}

/** Starts whatever looks at the proxies; the returned function ends it. */
type Look = () => Promise<() => Promise<void>>;

/** Measures requests without and with `look`, after one run of each in which the runtime compiles the path. */
export async function withAndWithout(
  subject: Subject,
  load: Omit<RequestLoad, "host" | "port">,
  look: Look,
): Promise<Compared> {
  const sums = { without: { cpu: 0, requests: 0 }, with: { cpu: 0, requests: 0 } };
  const run = async (kind: keyof typeof sums) => {
    const before = subject.pids.map(busySeconds);
    const { requests } = await subject.requests(load);
    sums[kind].cpu += subject.pids.reduce((sum, pid, side) => sum + busySeconds(pid) - before[side]!, 0);
    sums[kind].requests += requests;
  };
  for (let i = 0; i <= RUNS; i++) {
    await run("without");
    const end = await look();
    await run("with");
    await end();
    if (i === 0) { for (const sum of Object.values(sums)) sum.cpu = sum.requests = 0; }
  }
  const each = ({ cpu, requests }: { cpu: number; requests: number }) => cpu / requests * 1e6;
  return { without: each(sums.without), with: each(sums.with), requests: sums.with.requests };
}
