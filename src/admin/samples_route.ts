/**
 * `/samples`: what the node did in the last hour, and then each new sample, as server-sent events (`docs/dashboard.md`).
 *
 *     event: hour
 *     data: {"every": 5000, "names": ["time", …], "samples": [[…], …]}
 *
 *     data: […]
 *
 * `follow=false` ends behind the first event.
 */
import type { Clock, Millis } from "../net/clock.ts";
import { EventQueue } from "./event_queue.ts";
import type { AnyResponse, HttpHandler } from "./http_connection.ts";
import { plainText } from "./response.ts";

/** The samples of the last hour. */
export interface SampleSource {
  /** ms between two samples. */
  readonly every: Millis;
  readonly names: readonly string[];
  /** Each with its numbers in the order of `names`, oldest first. */
  rows(): readonly (readonly number[])[];
  /** Calls `onSample` with each new one. The returned function ends that. */
  follow(onSample: (row: readonly number[]) => void): () => void;
}

/** Readers at a time. */
const READERS_MAX = 8;
/** Samples that wait for a reader; one that has not taken them connects again and gets all. */
const WAITING_MAX = 4;
const HEARTBEAT: Millis = 15_000;

/** The handler of the route. */
export function samplesRoute(source: SampleSource, clock: Pick<Clock, "after">): HttpHandler {
  let readers = 0;
  return ({ query }): AnyResponse => {
    if (readers >= READERS_MAX) return plainText(503, `${readers} readers follow the samples already\n`);
    readers++;
    const queue = new EventQueue(clock, HEARTBEAT);
    const { every, names } = source;
    queue.addFirst(`event: hour\ndata: ${JSON.stringify({ every, names, samples: source.rows() })}\n\n`);
    let waiting = 0;
    const stop = source.follow((row) => {
      if (waiting >= WAITING_MAX) return queue.end();
      waiting++;
      queue.add(`data: ${JSON.stringify(row)}\n\n`, () => waiting--);
    });
    const follows = new URLSearchParams(query).getAll("follow").at(-1) !== "false";
    if (!follows) queue.end();
    return {
      status: 200,
      headers: [["content-type", "text/event-stream"], ["cache-control", "no-store"]],
      next: () => queue.next(),
      drain: () => queue.end(),
      close() {
        readers--;
        stop();
        queue.close();
      },
    };
  };
}
