/**
 * Attacks from a process of its own: `main.ts ATTACK HOST:PORT CA_CERTIFICATE CA_KEY APP_PORTS SECONDS [CONNECTIONS]`.
 * APP_PORTS is what `apps.ts` prints. Whoever is cut comes back. Prints `attacking`, then what came of it.
 */
import { loadOrCreateLocalCa } from "../../src/identity/local_ca.ts";
import { credential } from "../credentials.ts";
import type { Attack, Scene } from "./attack.ts";
import { ATTACKS } from "./catalogue.ts";

const ATTACKER = "spiffe://cluster.local/ns/default/sa/attacker";

interface Tally {
  connections: number;
  bytes: number;
  cut: number;
  readonly reasons: Set<string>;
}

async function keepAttacking(attack: Attack, scene: Scene, until: AbortSignal, tally: Tally): Promise<void> {
  while (!until.aborted) {
    tally.connections++;
    try {
      await using peer = await attack.run(scene, until);
      // The reason may still be on its way.
      if (!until.aborted) await peer.until(() => peer.closed);
      tally.bytes += peer.sent;
      if (peer.goAway === null) continue;
      tally.cut++;
      tally.reasons.add(peer.goAway.debug);
    } catch (error) {
      tally.reasons.add(error instanceof Error ? error.message : String(error));
      await new Promise((resume) => setTimeout(resume, 100));
    }
  }
}

const [name, place = "", caCertificate = "", caKey = "", ports = "", seconds, connections = "1"] = Deno.args;
const attack = ATTACKS.find(({ id }) => id === name);
if (attack === undefined) throw new Error(`${name} must be one of ${ATTACKS.map(({ id }) => id).join(", ")}`);
const [host = "", port] = place.split(":");
const ca = loadOrCreateLocalCa(caCertificate, caKey, Date.now());
const scene: Scene = {
  site: { host, port: Number(port), credentials: credential(ca, ATTACKER) },
  apps: JSON.parse(ports),
};
const until = AbortSignal.timeout(Number(seconds) * 1000);
const tally: Tally = { connections: 0, bytes: 0, cut: 0, reasons: new Set() };
console.log("attacking");
const one = () => keepAttacking(attack, scene, until, tally);
await Promise.all(Array.from({ length: Number(connections) }, one));
console.log(JSON.stringify({ ...tally, reasons: [...tally.reasons] }));
Deno.exit(0);
