/**
 * Peers that connect for the first time: `newcomers.ts HOST CA_CERTIFICATE CA_KEY COUNT`. Every 50 ms a new
 * connection to the inbound port of HOST opens a tunnel to `echo.ts`, sends one message and waits for its echo. Prints
 * a {@link NewcomerResult} as JSON at the end.
 */
import { data } from "../src/h2/testkit/frames.ts";
import { loadOrCreateLocalCa } from "../src/identity/local_ca.ts";
import { Peer, type Site } from "../testkit/attacks/peer.ts";
import { credential } from "../testkit/credentials.ts";
import { ECHO_PORT } from "./rig.ts";

/** Times in ms, from dialling to the complete echo, of connections that were served. */
export interface NewcomerResult {
  readonly served: number;
  readonly failed: number;
  readonly p50: number;
  readonly longest: number;
}

const INBOUND_PORT = 15008;
const EVERY_MILLIS = 50;
/** Time limit for the echo. */
const TIMEOUT = 5000;
const MESSAGE = new Uint8Array(64).fill(0x2e);

/** Throws when there is no echo. */
async function call(site: Site): Promise<void> {
  await using peer = await Peer.connect(site);
  const id = peer.tunnel(`${site.host}:${ECHO_PORT}`);
  peer.send(data(id, MESSAGE));
  if (!await peer.until(() => peer.stream(id).received === MESSAGE.length)) throw new Error("the connection was ended");
}

/** The time in ms; Infinity: it failed. */
async function timeOf(site: Site): Promise<number> {
  const began = performance.now();
  const late = Promise.withResolvers<number>();
  const timer = setTimeout(() => late.resolve(Infinity), TIMEOUT);
  const time = call(site).then(() => performance.now() - began, () => Infinity);
  return await Promise.race([time, late.promise]).finally(() => clearTimeout(timer));
}

if (import.meta.main) {
  const [host = "", certificate = "", key = "", count] = Deno.args;
  const authority = loadOrCreateLocalCa(certificate, key, Date.now());
  const credentials = credential(authority, "spiffe://cluster.local/ns/default/sa/newcomer");
  const site = { host, port: INBOUND_PORT, credentials };
  const calls: Promise<number>[] = [];
  for (let i = 0; i < Number(count); i++) {
    calls.push(timeOf(site));
    await new Promise((resume) => setTimeout(resume, EVERY_MILLIS));
  }
  const times = (await Promise.all(calls)).filter(Number.isFinite).sort((a, b) => a - b);
  const result: NewcomerResult = {
    served: times.length,
    failed: calls.length - times.length,
    p50: times[Math.floor(times.length / 2)] ?? NaN,
    longest: times.at(-1) ?? NaN,
  };
  console.log(JSON.stringify(result));
  Deno.exit(0);
}
