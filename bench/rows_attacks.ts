/** What a well-behaved neighbour feels while somebody attacks the inbound port it shares (`docs/spec/observed.md` O32). */
import { ATTACKS } from "../testkit/attacks/catalogue.ts";
import { type Processes, sleep, type Started, waitForLog } from "./processes.ts";
import { type Metric, oneByOne, type Row, type Sample } from "./row.ts";
import { median } from "./statistics.ts";
import type { Subject } from "./subject.ts";

const INBOUND_PORT = 15008;
const CONNECTIONS = 4;
/** Of the attacker; each is made again when it is cut. */
const ATTACKING_CONNECTIONS = 2;
/** Pairs of a quiet second and one under attack. Others on the machine only add to a p99, so the best one counts. */
const PAIRS = 3;
const SECONDS = 1;
/** Until the attack is at full speed. */
const LEAD_MILLIS = 300;
const START_MILLIS = 20_000;

const metrics: readonly Metric[] = [
  { id: "quiet", title: "p99 without an attack", unit: "us", better: "lower" },
  ...ATTACKS.map(({ id }): Metric => ({ id, title: `p99 during ${id}`, unit: "x", better: "lower" })),
];

/** Attacks one after the other, each with its own quiet time before it: the machine's moods meet both. */
async function measure(subject: Subject): Promise<Sample> {
  const apps = await startApps(subject);
  const sample: Record<string, number> = {};
  const quiet: number[] = [];
  let errors = 0;
  try {
    for (const { id } of ATTACKS) {
      const best = { before: Infinity, during: Infinity };
      for (let pair = 0; pair < PAIRS; pair++) {
        const before = await subject.requests({ connections: CONNECTIONS, seconds: SECONDS });
        const attacker = await startAttacker(subject, id, apps.ports);
        const during = await subject.requests({ connections: CONNECTIONS, seconds: SECONDS });
        await attacker.stop();
        best.before = Math.min(best.before, before.p99);
        best.during = Math.min(best.during, during.p99);
        errors += before.errors + during.errors;
      }
      quiet.push(best.before);
      sample[id] = best.during / best.before;
    }
  } finally {
    await apps.started.stop();
  }
  return { ...sample, quiet: median(quiet), errors };
}

export async function startApps(subject: Subject): Promise<{ started: Started; ports: string }> {
  const address = subject.link.addresses.server;
  const started = startScript(subject.processes, subject.link.inside("server"), "apps", [address]);
  await waitForLog(started, /}\n/, START_MILLIS);
  return { started, ports: Deno.readTextFileSync(started.log).trim() };
}

export async function startAttacker(
  subject: Subject,
  id: string,
  ports: string,
  connections = ATTACKING_CONNECTIONS,
  seconds = SECONDS + 10,
): Promise<Started> {
  const { link, directory, processes } = subject;
  const authority = [`${directory}/ca.pem`, `${directory}/ca.key`];
  const place = `${link.addresses.server}:${INBOUND_PORT}`;
  // Attackers have machines of their own: this one takes only the CPU time that the others leave.
  const nice = [...link.inside("client"), "nice", "-n", "19"];
  const args = [id, place, ...authority, ports, `${seconds}`, `${connections}`];
  const attacker = startScript(processes, nice, "main", args);
  await waitForLog(attacker, /attacking/, START_MILLIS);
  await sleep(LEAD_MILLIS);
  return attacker;
}

function startScript(processes: Processes, before: readonly string[], name: string, args: readonly string[]): Started {
  const script = new URL(`../testkit/attacks/${name}.ts`, import.meta.url).pathname;
  return processes.start(`attack-${name}`, [...before, Deno.execPath(), "run", "-A", "--no-prompt", script, ...args]);
}

const measureAll = oneByOne(measure);

export const ATTACK_ROWS: readonly Row[] = [{
  id: "attacks",
  title: "4 connections of requests while somebody attacks the inbound port",
  metrics,
  once: true,
  quick: false,
  // An attacker needs a certificate that the proxy accepts, and only our authority's key can be had.
  measure: (subjects, plan, run) => measureAll(subjects.filter(({ id }) => id.startsWith("ours")), plan, run),
}];
