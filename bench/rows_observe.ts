/** What it costs to look at connections: one who follows them, and a list of very many. */
import { readFileSync } from "node:fs";
import { parseSample } from "../lab/scrape.ts";
import { Crowd } from "./crowd.ts";
import { type Started, waitForLog } from "./processes.ts";
import { eachFresh, type Metric, type Plan, type Row, type Sample } from "./row.ts";
import { mostDescriptors } from "./rows_many.ts";
import type { Subject } from "./subject.ts";
import { withAndWithout } from "./with_and_without.ts";

const ADMIN = "http://127.0.0.1:15000";
const FOLLOW_MILLIS = 10_000;
/** Kept connections of the requests. */
const KEPT = 32;
/** New connections at a time. */
const CONNECTIONS = 16;
const LISTED = { full: 20_000, small: 2000 } as const;
/** Descriptors that a process needs for something else. */
const OTHER_DESCRIPTORS = 500;
/** For the crowd: a few messages, so that its connections are in use. */
const SECONDS = 5;

const lower = (id: string, title: string, unit: string): Metric => ({ id, title, unit, better: "lower" });

const observe: Row = {
  id: "observe",
  title: "requests and new connections that somebody follows on both sides, and a list of the open ones",
  metrics: [
    lower("request", `CPU for each request on ${KEPT} connections, both proxies`, "us"),
    lower("requestFollowed", "  with a follower at each", "us"),
    lower("requestRatio", "  relative to that without", ""),
    lower("cpu", "CPU for each new connection, both proxies", "us"),
    lower("followed", "  with a follower at each", "us"),
    lower("ratio", "  relative to that without", ""),
    {
      id: "events",
      title: "  events that the followers got, for each connection and proxy",
      unit: "",
      better: "higher",
    },
    { id: "listed", title: "connections in a list", unit: "", better: "higher" },
    lower("list", "  time for it", "ms"),
    lower("turn", "  longest turn of the event loop meanwhile", "ms"),
    lower("memory", "memory of that list and of the last 10,000 endings in a worker", "MB"),
  ],
  once: false,
  quick: false,
  measure: eachFresh({}, cost),
};

/** Only this proxy can be followed. */
async function cost(subject: Subject, plan: Plan): Promise<Sample> {
  if (!subject.id.startsWith("ours")) return {};
  const { seconds } = plan;
  const followers: Started[] = [];
  const look = async () => {
    const started = (["client", "server"] as const).map((side) =>
      subject.processes.start("follower", [...subject.link.inside(side), "curl", "-sSN", "-f", `${ADMIN}/observe`])
    );
    followers.push(...started);
    for (const follower of started) await waitForLog(follower, /: flows/, FOLLOW_MILLIS);
    return async () => {
      for (const follower of started) await follower.stop();
    };
  };
  const requests = await withAndWithout(subject, { connections: KEPT, seconds }, look);
  followers.length = 0;
  const load = { connections: CONNECTIONS, seconds, connectionPerRequest: true };
  const connections = await withAndWithout(subject, load, look);
  // Those of the first run, which warms up, are not counted.
  const events = followers.slice(2).map(({ log }) => readFileSync(log, "utf8").match(/^data: \{/gm)?.length ?? 0);
  return {
    request: requests.without,
    requestFollowed: requests.with,
    requestRatio: requests.with / requests.without,
    cpu: connections.without,
    followed: connections.with,
    ratio: connections.with / connections.without,
    events: events.reduce((sum, each) => sum + each, 0) / 2 / connections.requests,
    ...await list(subject, plan),
    memory: await tableMemory(subject, plan),
  };
}

/** In a process of its own: in a worker the collector runs when it likes, and connections take much more than that. */
async function tableMemory({ processes }: Subject, { small }: Plan): Promise<number> {
  const path = new URL("table_memory.ts", import.meta.url).pathname;
  const argv = [
    Deno.execPath(),
    "run",
    "--no-prompt",
    "--v8-flags=--expose-gc",
    path,
    `${LISTED[small ? "small" : "full"]}`,
  ];
  return Number(await processes.run(argv)) / 1e6;
}

async function list(subject: Subject, { small }: Plan): Promise<Sample> {
  const wanted = Math.min(LISTED[small ? "small" : "full"], await mostDescriptors(subject) - OTHER_DESCRIPTORS);
  const crowd = await Crowd.start(subject, [{ connections: wanted, everyMillis: 1000, pick: 1 }], SECONDS);
  await crowd.results();
  await longestTurn(subject);
  const begun = performance.now();
  const text = await ask(subject, `${ADMIN}/connections`);
  const took = performance.now() - begun;
  const turn = await longestTurn(subject);
  const listed = JSON.parse(text).connections.length;
  await crowd.stop();
  return { listed, list: took, turn };
}

/** ms since it was asked for last, of the server side's worker with the longest one. */
async function longestTurn(subject: Subject): Promise<number> {
  const page = await ask(subject, "http://127.0.0.1:15020/metrics");
  const samples = page.split("\n").map(parseSample).filter((sample) => sample !== null);
  const turns = samples.filter(({ name }) => name === "ztunnel_event_loop_longest_turn_seconds");
  return Math.max(...turns.map(({ value }) => value * 1000));
}

function ask({ processes, link }: Subject, url: string): Promise<string> {
  return processes.run([...link.inside("server"), "curl", "-sS", "-f", url]);
}

/** The rows of this file. */
export const OBSERVE_ROWS: readonly Row[] = [observe];
