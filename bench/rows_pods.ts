/**
 * The row about pods in shared mode: the time until one is served, and until two hundred are, and the memory of each.
 * It builds its own nodes (`lab/bed/`) and uses its subjects only to choose the proxy.
 */
import { Cluster } from "../lab/bed/cluster.ts";
import { addAll, deleteAll, type IdlePod, makeIdlePods } from "../testkit/many_pods.ts";
import { descriptors, residentBytes } from "./cpu.ts";
import { sleep } from "./processes.ts";
import { type Metric, type Row, type Sample, ztunnelsOneByOne } from "./row.ts";
import type { Ztunnel } from "./pair.ts";
import { median } from "./statistics.ts";

const COUNT = 200;
const SINGLES = 20;
const CHURN_ROUNDS = 5;
const SETTLE_MILLIS = 2000;
const KIB = 1024;

const lower = (id: string, title: string, unit: string): Metric => ({ id, title, unit, better: "lower" });

const pods: Row = {
  id: "pods",
  title: `pods of shared mode, one worker`,
  metrics: [
    lower("one", "from the agent's message until its listeners accept", "ms"),
    lower("all", `the same for ${COUNT}, one after the other`, "ms"),
    lower("memory", "RSS per idle pod", "KiB"),
    lower("descriptors", "descriptors per pod", ""),
    lower("left", `descriptors that ${CHURN_ROUNDS} times ${COUNT} pods left behind`, ""),
  ],
  once: true,
  quick: false,
  measure: ztunnelsOneByOne((ztunnel) => measurePods(ztunnel)),
};

async function measurePods({ executable, env }: Ztunnel): Promise<Sample> {
  await using cluster = await Cluster.build({
    pods: [],
    env: { ZTUNNEL_WORKER_THREADS: "1", ...env },
    ...executable !== null && { executable: () => executable },
    // These pods have no traffic, so the mesh does not contain them.
    prepare: ({ folder }) => {
      Deno.writeTextFileSync(`${folder}/empty.yaml`, "{}");
      return Promise.resolve(() => ({ LOCAL_XDS_PATH: `${folder}/empty.yaml` }));
    },
  });
  const { session, proxy } = cluster.nodes[0]!;
  const idle = await makeIdlePods(cluster, COUNT);
  const single = idle.slice(0, 1);
  const cycle = async (these: readonly IdlePod[]) => {
    const millis = await addAll(session, these);
    await deleteAll(session, these);
    return millis;
  };
  const singles: number[] = [];
  for (let i = 0; i < SINGLES; i++) singles.push(await cycle(single));
  await sleep(SETTLE_MILLIS);
  const [memory, open] = [residentBytes(proxy.pid), descriptors(proxy.pid)];
  const all = await addAll(session, idle);
  await sleep(SETTLE_MILLIS);
  const sample = {
    one: median(singles),
    all,
    memory: (residentBytes(proxy.pid) - memory) / COUNT / KIB,
    descriptors: (descriptors(proxy.pid) - open) / COUNT,
  };
  await deleteAll(session, idle);
  for (let round = 0; round < CHURN_ROUNDS; round++) await cycle(idle);
  await sleep(SETTLE_MILLIS);
  return { ...sample, left: descriptors(proxy.pid) - open };
}

/** The rows of this file. */
export const POD_ROWS: readonly Row[] = [pods];
