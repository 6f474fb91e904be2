/** Time of regular peers to open a tunnel while other clients dial the same port and never finish a handshake. */
import { sleep, waitForLog } from "./processes.ts";
import { type Row, type Sample, ztunnelsOneByOne } from "./row.ts";
import { type ProxyBed, withProxy } from "./rows_handshakes.ts";

const SCRIPT = "inbound_clients.ts";
const RATE = 2000;
const LEAD_MILLIS = 1000;
const START_MILLIS = 30_000;
/** Enough of 50 tunnels a second for a p99. */
const SECONDS = 4;

const CROWDS = [
  { id: "silent", title: "beside 2,000 silent dialers a second", mode: "silent", sameAddress: false },
  { id: "halfOpen", title: "beside 2,000 half-open handshakes a second", mode: "half-open", sameAddress: false },
  { id: "sameAddress", title: "the same, all from one address", mode: "half-open", sameAddress: true },
] as const;

interface Opened {
  readonly failed: number;
  readonly p99?: number;
}

async function measure(bed: ProxyBed): Promise<Sample> {
  const sample: Record<string, number> = {};
  const honest = async (): Promise<Opened> => {
    return JSON.parse(await bed.peer(SCRIPT, "honest", bed.folder, bed.address, bed.peers[0]!, `${SECONDS}`));
  };
  await honest();
  const quiet = (await honest()).p99 ?? NaN;
  sample["quiet"] = quiet;
  for (const { id, mode, sameAddress } of CROWDS) {
    const from = bed.peers[sameAddress ? 0 : 1]!;
    const crowd = bed.start(SCRIPT, mode, bed.folder, bed.address, from, `${SECONDS + 4}`, `${RATE}`);
    await waitForLog(crowd, /dialling/, START_MILLIS);
    await sleep(LEAD_MILLIS);
    const { failed, p99 = NaN } = await honest();
    await crowd.stop();
    sample[id] = p99 / quiet;
    sample[`${id}Failed`] = failed;
  }
  return sample;
}

/** The rows of this file. */
export const NEWCOMER_ROWS: readonly Row[] = [{
  id: "newcomers",
  title: "50 new tunnels a second, beside clients that never finish a handshake",
  metrics: [
    { id: "quiet", title: "p99 of a tunnel, quiet", unit: "ms", better: "lower" },
    ...CROWDS.flatMap(({ id, title }) => [
      { id, title: `p99 ${title}`, unit: "x", better: "lower" } as const,
      { id: `${id}Failed`, title: "  failed", unit: "", better: "lower" } as const,
    ]),
  ],
  once: true,
  quick: false,
  measure: ztunnelsOneByOne(async (ztunnel, { link }) =>
    link.kind === "loopback" ? {} : await withProxy(ztunnel, measure)
  ),
}];
