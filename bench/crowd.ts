/** Many kept connections through a pair: the echo runs on the server side, the sender on the client side. */
import { readFileSync } from "node:fs";
import { busySeconds, peakBytes, resetPeak, residentBytes } from "./cpu.ts";
import { type Started, waitForLog } from "./processes.ts";
import { ECHO_PORT, type Side } from "./rig.ts";
import { script } from "./script.ts";
import type { Group, GroupResult, SenderPlan } from "./sender.ts";
import type { Subject } from "./subject.ts";

const START_MILLIS = 10_000;
/** Time for the handshakes of 10,000 connections on a small share of a core. */
const OPEN_MILLIS = 150_000;
/** Time until the sender gives up on the last echoes. */
const LAST_MILLIS = 20_000;

/** An application with kept connections, all of them open. It is stopped with the pair. */
export class Crowd {
  readonly #seconds: number;
  readonly #processes: readonly Started[];
  readonly #sender: Started;

  private constructor(seconds: number, sender: Started, echo: Started | null) {
    this.#seconds = seconds;
    this.#processes = echo === null ? [sender] : [sender, echo];
    this.#sender = sender;
  }

  /** Returns when the connections are open; the `seconds` of sending begin then. */
  static async start(subject: Subject, groups: readonly Group[], seconds: number): Promise<Crowd> {
    const echo = await startEcho(subject);
    return new Crowd(seconds, await startSender(subject, groups, seconds), echo);
  }

  /** The same where the echo runs already; it keeps running. */
  static async startWithoutEcho(subject: Subject, groups: readonly Group[], seconds: number): Promise<Crowd> {
    return new Crowd(seconds, await startSender(subject, groups, seconds), null);
  }

  /** The result of each group, once the time is over. The connections stay open. */
  async results(): Promise<GroupResult[]> {
    await waitForLog(this.#sender, /\]\n/, this.#seconds * 1000 + LAST_MILLIS);
    return JSON.parse(readFileSync(this.#sender.log, "utf8").split("\n")[1] ?? "");
  }

  async stop(): Promise<void> {
    for (const process of this.#processes) await process.stop();
  }
}

/** The echo listens when this returns. It is stopped with the pair. */
export async function startEcho(subject: Subject): Promise<Started> {
  const echo = startScript(subject, "server", "echo", [subject.link.addresses.server, `${ECHO_PORT}`]);
  await waitForLog(echo, /ready/, START_MILLIS);
  return echo;
}

async function startSender(subject: Subject, groups: readonly Group[], seconds: number): Promise<Started> {
  const plan: SenderPlan = { host: subject.link.addresses.server, port: ECHO_PORT, seconds, groups };
  const sender = startScript(subject, "client", "sender", [JSON.stringify(plan)]);
  await waitForLog(sender, /ready/, OPEN_MILLIS);
  return sender;
}

function startScript(subject: Subject, side: Side, name: string, args: readonly string[]): Started {
  return subject.processes.start(name, [...subject.link.inside(side), ...script(`${name}.ts`, ...args)]);
}

/** Results of an application with kept connections, and what the proxies used in that time. */
interface Observation {
  readonly results: readonly GroupResult[];
  /** CPU time in seconds, peak of RSS since the first connection and RSS at the end, in bytes, of each proxy. */
  readonly cpu: readonly number[];
  readonly peak: readonly number[];
  readonly memory: readonly number[];
  /** The interval of the CPU time: from the last handshake to the last echo. */
  readonly seconds: number;
}

/** Sends by `groups` and measures the proxies in that time. */
export async function observe(subject: Subject, groups: readonly Group[], seconds: number): Promise<Observation> {
  const { pids } = subject;
  pids.forEach(resetPeak);
  const crowd = await Crowd.start(subject, groups, seconds);
  try {
    const began = performance.now(), before = pids.map(busySeconds);
    const results = await crowd.results();
    const took = (performance.now() - began) / 1000;
    const cpu = pids.map((pid, side) => busySeconds(pid) - (before[side] ?? NaN));
    return { results, cpu, peak: pids.map(peakBytes), memory: pids.map(residentBytes), seconds: took };
  } finally {
    await crowd.stop();
  }
}

/** Connections that failed and messages without an echo. */
export function lost(results: readonly GroupResult[]): number {
  return results.reduce((sum, { failed, closed, sent, answered }) => sum + failed + closed + sent - answered, 0);
}
