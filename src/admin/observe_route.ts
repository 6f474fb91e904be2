/**
 * `/observe`: flows as they open, are refused and end, as server-sent events (`docs/flows.md`). `last=N` begins with the
 * last N endings; `follow=false` ends behind them. The other parameters are those of {@link FlowFilter}.
 *
 *     data: {"event": "ended", "time": …, …}
 *
 *     event: lost
 *     data: 17
 *
 * A reader that is too slow gets `lost` with the number of events that it has missed. Nothing waits for it.
 */
import { type FlowFilter, parseFlowFilter } from "../telemetry/flow_filter.ts";
import type { Clock, Millis } from "../net/clock.ts";
import { EventQueue } from "./event_queue.ts";
import type { AnyResponse, HttpHandler } from "./http_connection.ts";
import { plainText } from "./response.ts";

/** The events of flows. */
export interface FlowSource {
  /** The last endings of all workers, `most` at most, oldest first, each as JSON. */
  last(filter: FlowFilter, most: number): Promise<readonly string[]>;
  /** Calls `onEvents` with events from now on. The returned function ends that. */
  follow(filter: FlowFilter, onEvents: (events: FlowEvents) => void): () => void;
}

/** Some events. */
export interface FlowEvents {
  /** As server-sent events in UTF-8. */
  readonly events: readonly Uint8Array[];
  /** Events before these that were dropped. */
  readonly lost: number;
  /** To be called when they were written. */
  taken(): void;
}

/** Followers at a time. */
const FOLLOWERS_MAX = 8;
const LAST_MAX = 10_000;
/** After this time without an event a comment is sent, so that proxies in between keep the connection. */
const HEARTBEAT: Millis = 15_000;

const HEADERS = [["content-type", "text/event-stream"], ["cache-control", "no-store"]] as const;

/** The handler of the route. */
export function observeRoute(source: FlowSource, clock: Pick<Clock, "after">): HttpHandler {
  let followers = 0;
  return async ({ query }): Promise<AnyResponse> => {
    const parameters = new URLSearchParams(query);
    const filter = parseFlowFilter(parameters);
    if (typeof filter === "string") return plainText(400, `${filter}\n`);
    const last = parameters.getAll("last").at(-1) || "0";
    if (!/^[0-9]{1,5}$/.test(last) || Number(last) > LAST_MAX) {
      return plainText(400, `invalid value of last: a number from 0 to ${LAST_MAX}\n`);
    }
    const follows = parameters.getAll("follow").at(-1) || "true";
    if (follows !== "true" && follows !== "false") return plainText(400, "invalid value of follow: true or false\n");
    if (followers >= FOLLOWERS_MAX) return plainText(503, `${followers} readers follow flows already\n`);
    followers++;
    const queue = new EventQueue(clock, HEARTBEAT);
    // Followed before the past is read, so that nothing is missed in between.
    const stop = follows === "true" ? source.follow(filter, (events) => addEvents(queue, events)) : null;
    const close = () => {
      followers--;
      stop?.();
      queue.close();
    };
    try {
      const past = Number(last) === 0 ? [] : await source.last(filter, Number(last));
      // The comment makes the head of the response leave at once.
      queue.addFirst(`: flows\n\n${past.map((line) => `data: ${line}\n\n`).join("")}`);
      if (stop === null) queue.end();
    } catch (error) {
      close();
      throw error;
    }
    const body = { status: 200, headers: HEADERS, next: () => queue.next(), close } as const;
    return stop === null ? body : { ...body, drain: () => queue.end() };
  };
}

function addEvents(queue: EventQueue, { events, lost, taken }: FlowEvents): void {
  if (lost > 0) queue.add(`event: lost\ndata: ${lost}\n\n`);
  for (const [i, piece] of events.entries()) queue.add(piece, i === events.length - 1 ? taken : undefined);
}
