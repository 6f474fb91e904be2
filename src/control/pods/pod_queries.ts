/** Questions to the workers about their pods, and the answers of all of them together. */
import type { PodAnswer, PodInstance, PodReport } from "../../dataplane/pod_messages.ts";
import type { DumpDirection, DumpedConnection, DumpPlace } from "../../proxy/connection_dump.ts";
import { PendingReplies } from "../workers/pending_replies.ts";
import type { PodWorker } from "./pod_fleet.ts";

type PodReply = Extract<PodAnswer, { request: number }>;

/** Sends a question to every worker and waits for all replies. */
export class PodQueries {
  readonly #workers: readonly PodWorker[];
  readonly #replies = new PendingReplies<PodReply>();

  constructor(workers: readonly PodWorker[]) {
    this.#workers = workers;
  }

  /** The pods that each worker serves, in the order of the workers. */
  async reports(): Promise<(readonly PodReport[])[]> {
    const answers = await this.#ask((worker, request) => worker.send({ kind: "report", request }));
    return answers.map((answer) => answer.kind === "report" ? answer.pods : []);
  }

  /** The connections of a pod, page by page, of one worker after the other: each connection is at one of them. */
  async *connections(
    instance: PodInstance,
    direction: DumpDirection,
  ): AsyncGenerator<readonly DumpedConnection[], void, undefined> {
    for (const worker of this.#workers) {
      for (let after: DumpPlace | null | undefined = null; after !== undefined;) {
        const request = this.#replies.next();
        const reply = this.#replies.wait(request);
        worker.send({ kind: "connections", request, instance, direction, after });
        const answer = await reply;
        if (answer.kind !== "connections") return;
        yield answer.page.entries;
        after = answer.page.next ?? undefined;
      }
    }
  }

  /** Takes a reply of any worker. */
  receive(reply: PodReply): void {
    this.#replies.settle(reply.request, reply);
  }

  #ask(send: (worker: PodWorker, request: number) => void): Promise<PodReply[]> {
    return Promise.all(this.#workers.map((worker) => {
      const request = this.#replies.next();
      const reply = this.#replies.wait(request);
      send(worker, request);
      return reply;
    }));
  }
}
