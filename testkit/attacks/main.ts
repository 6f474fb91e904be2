/**
 * A process that attacks: `main.ts ATTACK HOST:PORT CA_CERTIFICATE CA_KEY APP_PORTS SECONDS [CONNECTIONS]`.
 * APP_PORTS is the output of `apps.ts`. A connection that the proxy closes is replaced by a new one. Prints `attacking`,
 * and in the end a {@link Tally} as JSON.
 */
import { loadOrCreateLocalCa } from "../../src/identity/local_ca.ts";
import { credential } from "../credentials.ts";
import type { Attack, Scene } from "./attack.ts";
import { ATTACKS } from "./catalogue.ts";

const ATTACKER = "spiffe://cluster.local/ns/default/sa/attacker";

/** Totals of all connections. */
interface Tally {
  connections: number;
  /** Bytes sent. */
  bytes: number;
  /** Connections that ended with a GOAWAY. */
  cut: number;
  /** Debug texts of GOAWAY frames, and errors. */
  readonly reasons: Set<string>;
}

async function keepAttacking(attack: Attack, scene: Scene, until: AbortSignal, tally: Tally): Promise<void> {
  while (!until.aborted) {
    tally.connections++;
    try {
      await using peer = await attack.run(scene, until);
      // The GOAWAY may still be in flight.
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
