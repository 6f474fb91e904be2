/** Clients that attack the inbound port of a pair's server side. Both kinds trust the CA of `scriptedCa`. */
import { ATTACKS } from "../testkit/attacks/catalogue.ts";
import { type Processes, sleep, type Started, waitForLog } from "./processes.ts";
import { script } from "./script.ts";
import type { Subject } from "./subject.ts";

const INBOUND_PORT = 15008;
/** Time until the attack is at full speed. */
const LEAD_MILLIS = 300;
const START_MILLIS = 20_000;
/** Connections of one attacker; each is made again when it is cut. */
const CONNECTIONS = 2;
/** With 200 streams each: more than the 4,096 dials that a pod may have under way. */
const DIALLING_CONNECTIONS = 21;
const HALF_OPEN = 10_000;
const ATTACKER_ADDRESS = "10.77.0.3";

/** An attack. */
export interface AttackCase {
  readonly id: string;
  readonly what: string;
  /** Resolves when the attack is at full speed; it goes on for `seconds` unless it is stopped. */
  start(subject: Subject, appPorts: string, seconds: number): Promise<Started>;
}

/** What the attacks of the catalogue and those with many connections do. */
export const ATTACK_CASES: readonly AttackCase[] = [
  ...ATTACKS.map(({ id, what }): AttackCase => ({
    id,
    what,
    start: (subject, ports, seconds) => startAttacker(subject, id, ports, CONNECTIONS, seconds),
  })),
  {
    id: "dial-flood-21",
    what: `dial-flood on ${DIALLING_CONNECTIONS} connections`,
    start: (subject, ports, seconds) => startAttacker(subject, "dial-flood", ports, DIALLING_CONNECTIONS, seconds),
  },
  {
    id: "half-open-10k",
    what: `${HALF_OPEN} connections that send the first message of a handshake and nothing more`,
    async start({ link, directory, processes }, _ports, seconds) {
      // The attacker has its own address, as another pod would.
      const address = [`${ATTACKER_ADDRESS}/24`, "dev", link.device];
      await processes.run([...link.inside("client"), "ip", "addr", "replace", ...address]);
      const args = ["hold", directory, link.addresses.server, ATTACKER_ADDRESS, `${seconds}`, `${HALF_OPEN}`];
      const attacker = startScript(processes, niced(link.inside("client")), "inbound_clients.ts", args);
      await waitForLog(attacker, /dialling/, START_MILLIS);
      return attacker;
    },
  },
];

/** Starts the applications that attackers connect to. `ports`: for {@link startAttacker}. */
export async function startApps(subject: Subject): Promise<{ started: Started; ports: string }> {
  const address = subject.link.addresses.server;
  const started = startScript(subject.processes, subject.link.inside("server"), "../testkit/attacks/apps.ts", [
    address,
  ]);
  await waitForLog(started, /}\n/, START_MILLIS);
  return { started, ports: Deno.readTextFileSync(started.log).trim() };
}

/** Starts attack `id` of the catalogue, under its own identity. */
export async function startAttacker(
  subject: Subject,
  id: string,
  ports: string,
  connections: number,
  seconds: number,
): Promise<Started> {
  const { link, directory, processes } = subject;
  const authority = [`${directory}/ca.pem`, `${directory}/ca.key`];
  const place = `${link.addresses.server}:${INBOUND_PORT}`;
  const args = [id, place, ...authority, ports, `${seconds}`, `${connections}`];
  const attacker = startScript(processes, niced(link.inside("client")), "../testkit/attacks/main.ts", args);
  await waitForLog(attacker, /attacking/, START_MILLIS);
  await sleep(LEAD_MILLIS);
  return attacker;
}

/** Low priority: real attackers have their own machines, so this one gets only CPU time that is left. */
function niced(before: readonly string[]): readonly string[] {
  return [...before, "nice", "-n", "19"];
}

function startScript(processes: Processes, before: readonly string[], file: string, args: readonly string[]): Started {
  return processes.start("attack", [...before, ...script(file, ...args)]);
}
