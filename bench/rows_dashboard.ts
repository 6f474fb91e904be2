/** What an open dashboard costs the proxies that it shows. */
import { waitForLog } from "./processes.ts";
import { eachFresh, type Metric, type Plan, type Row, type Sample } from "./row.ts";
import type { Subject } from "./subject.ts";
import { withAndWithout } from "./with_and_without.ts";

const ADMIN = "http://127.0.0.1:15000";
const CONNECTIONS = 32;
const START_MILLIS = 10_000;
/** What a page asks for: streams, and routes that it polls each five seconds. The service map is the dearest view. */
const STREAMS = ["samples", "observe?last=200"];
const POLLED = "{node,service-map}?[1-1000]";
/** Requests a minute, of both together. */
const RATE = "24/m";

const metric = (id: string, title: string, unit: string): Metric => ({ id, title, unit, better: "lower" });

const dashboard: Row = {
  id: "dashboard",
  title: "small requests on 32 connections, with an open dashboard of each proxy",
  metrics: [
    metric("cpu", "CPU for each request, both proxies", "us"),
    metric("seen", "  with a dashboard of each", "us"),
    metric("ratio", "  relative to that without", ""),
  ],
  once: false,
  quick: false,
  measure: eachFresh({}, cost),
};

/** Only this proxy has one. */
async function cost(subject: Subject, { seconds }: Plan): Promise<Sample> {
  if (!subject.id.startsWith("ours")) return {};
  const compared = await withAndWithout(subject, { connections: CONNECTIONS, seconds }, () => open(subject));
  return { cpu: compared.without, seen: compared.with, ratio: compared.with / compared.without };
}

async function open(subject: Subject): Promise<() => Promise<void>> {
  const readers = (["client", "server"] as const).flatMap((side) => {
    const curl = (...words: readonly string[]) =>
      subject.processes.start("page", [...subject.link.inside(side), "curl", "-sS", "-f", ...words]);
    return [...STREAMS.map((path) => curl("-N", `${ADMIN}/${path}`)), curl("--rate", RATE, `${ADMIN}/${POLLED}`)];
  });
  for (const [i, reader] of readers.entries()) {
    if (i % 3 === 0) await waitForLog(reader, /^event: hour/m, START_MILLIS);
  }
  return async () => {
    for (const reader of readers) await reader.stop();
  };
}

/** The rows of this file. */
export const DASHBOARD_ROWS: readonly Row[] = [dashboard];
