/** A peer that sends other labels with each call, and a scrape afterwards (`docs/spec/observed.md` O52). */
import { statSync } from "node:fs";
import { residentBytes } from "./cpu.ts";
import { sleep, waitForLog } from "./processes.ts";
import { HTTP_PORT } from "./rig.ts";
import { type Metric, oneByOne, type Plan, type Row, type RunContext, type Sample } from "./row.ts";
import { scriptedCa } from "./rows_stall.ts";
import { script } from "./script.ts";
import type { Subject } from "./subject.ts";

const CALLS = { full: 12_000, small: 1_000 } as const;
const ATTACK_MILLIS = 120_000;
const SCRAPES = 3;
const MB = 1e6;

const lower = (id: string, title: string, unit: string): Metric => ({ id, title, unit, better: "lower" });

const metrics: readonly Metric[] = [
  lower("memory", `growth of the server side's RSS by ${CALLS.full} calls`, "MB"),
  lower("page", "size of a scrape afterwards", "MB"),
  lower("scrape", "time of a scrape", "ms"),
  lower("p99", "p99 of 4 connections of requests, without scrapes", "us"),
  lower("p99Scraped", "the same during scrapes", "us"),
];

async function measure(subject: Subject, plan: Plan, run: RunContext): Promise<Sample> {
  const pair = await run.another(subject, { prepare: scriptedCa });
  if (pair === null) return {};
  try {
    return await afterCalls(pair, CALLS[plan.small ? "small" : "full"]);
  } finally {
    await pair.stop();
  }
}

async function afterCalls(pair: Subject, calls: number): Promise<Sample> {
  const { link, directory, processes } = pair;
  const load = { connections: 4, seconds: 3 } as const;
  await pair.requests(load);
  const quiet = await pair.requests(load);
  const before = residentBytes(pair.pair.server!.pid);
  const words = [directory, link.addresses.server, `${HTTP_PORT}`, `${calls}`];
  const caller = processes.start("labels", [...link.inside("client"), ...script("labels.ts", ...words)]);
  await waitForLog(caller, /done/, ATTACK_MILLIS);
  const memory = (residentBytes(pair.pair.server!.pid) - before) / MB;
  const file = `${directory}/page`;
  let time = Infinity;
  const scraping = (async () => {
    await sleep(500);
    for (let i = 0; i < SCRAPES; i++) time = Math.min(time, await scrape(pair, file));
  })();
  const [scraped] = await Promise.all([pair.requests(load), scraping]);
  return { memory, page: statSync(file).size / MB, scrape: time, p99: quiet.p99, p99Scraped: scraped.p99 };
}

/** In ms. */
async function scrape({ link, processes }: Subject, file: string): Promise<number> {
  const url = "http://127.0.0.1:15020/metrics";
  const argv = ["curl", "-s", "-S", "-f", "-o", file, "-w", "%{time_total}", url];
  return Number(await processes.run([...link.inside("server"), ...argv])) * 1000;
}

const measureAll = oneByOne(measure);

/** The rows of this file. */
export const LABEL_ROWS: readonly Row[] = [{
  id: "labels",
  title: "a peer that sends other labels with each call, and a scrape afterwards",
  metrics,
  once: true,
  quick: false,
  measure: (subjects, plan, run) => measureAll(subjects.filter(({ id }) => /^(ours|rust)/.test(id)), plan, run),
}];
