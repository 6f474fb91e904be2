/** The main isolate's side of one worker's connections: lists read slice by slice, and flows that are followed. */
import {
  type FlowAnswer,
  type FlowList,
  type FlowRequest,
  type FlowSlice,
  ROW_SEPARATOR,
} from "../../dataplane/flow_messages.ts";
import type { FlowFilter } from "../../telemetry/flow_filter.ts";
import { PendingReplies } from "./pending_replies.ts";

/** A batch of events of flows. */
interface FlowBatch {
  /** As server-sent events. */
  readonly events: readonly Uint8Array[];
  /** Events before these that were dropped, as batches were not taken in time. */
  readonly lost: number;
  /**
   * To be called when `events` are needed no more, which are empty then. The worker sends two batches, and drops events
   * until one is taken.
   */
  taken(): void;
}

/** `transfer`: buffers that belong to the worker from then on. */
type SendRequest = (request: FlowRequest, transfer?: ArrayBuffer[]) => void;

/** The lists and followers of one worker. */
export class WorkerFlows {
  readonly #send: SendRequest;
  readonly #slices = new PendingReplies<FlowSlice>();
  /** By number. */
  readonly #followers = new Map<number, (batch: FlowBatch) => void>();
  #nextFollower = 0;

  constructor(send: SendRequest) {
    this.#send = send;
  }

  receive(answer: FlowAnswer): void {
    switch (answer.kind) {
      case "list-slice":
        return this.#slices.settle(answer.list, answer.slice);
      case "flow-batch": {
        const { follower, events, lost } = answer;
        return this.#followers.get(follower)?.({
          events,
          lost,
          taken: () => this.#taken(follower, events),
        });
      }
      default:
        return answer satisfies never;
    }
  }

  #taken(follower: number, buffers: readonly Uint8Array<ArrayBuffer>[]): void {
    this.#send({ kind: "batch-taken", follower, buffers }, buffers.map(({ buffer }) => buffer));
  }

  /** A list in slices. The next one is made while the caller uses the last one. */
  async *list(of: FlowList): AsyncGenerator<FlowSlice, void, undefined> {
    const list = this.#slices.next();
    const more = () => {
      const reply = this.#slices.wait(list);
      this.#send({ kind: "list-more", list });
      return reply;
    };
    this.#send({ kind: "list-begin", list, of });
    try {
      for (let reply = more();;) {
        const slice = await reply;
        if (!slice.ended) reply = more();
        yield slice;
        if (slice.ended) return;
      }
    } finally {
      this.#slices.abandon(list);
      this.#send({ kind: "list-end", list });
    }
  }

  /** The rows of a list as JSON. */
  async *lines(of: FlowList): AsyncGenerator<string, void, undefined> {
    for await (const { chunks } of this.list(of)) yield* linesOf(chunks);
  }

  /** Calls `onBatch` with the events from now on. The returned function ends that; idempotent. */
  follow(filter: FlowFilter, onBatch: (batch: FlowBatch) => void): () => void {
    const follower = this.#nextFollower++;
    this.#followers.set(follower, onBatch);
    this.#send({ kind: "follow", follower, filter });
    return () => {
      if (this.#followers.delete(follower)) this.#send({ kind: "unfollow", follower });
    };
  }
}

const decoder = new TextDecoder();

function linesOf(chunks: readonly Uint8Array[]): string[] {
  const text = chunks.map((chunk) => decoder.decode(chunk)).join("");
  return text === "" ? [] : text.split(ROW_SEPARATOR);
}
