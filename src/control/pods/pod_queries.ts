/** Questions to the workers about their pods, and the answers of all of them together. */
import type { PodAnswer, PodInstance, PodReport } from "../../dataplane/pod_messages.ts";
import type { DumpedConnections } from "../../proxy/connection_dump.ts";
import type { PodWorker } from "./pod_fleet.ts";

type Answer = Extract<PodAnswer, { request: number }>;

export class PodQueries {
  readonly #workers: readonly PodWorker[];
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #last = 0;

  constructor(workers: readonly PodWorker[]) {
    this.#workers = workers;
  }

  /** What each worker finds of its pods, in the order of the workers. */
  async reports(): Promise<(readonly PodReport[])[]> {
    const answers = await this.#ask((worker, request) => worker.send({ kind: "report", request }));
    return answers.map((answer) => answer.kind === "report" ? answer.pods : []);
  }

  /** Of all workers; each connection is at one of them. */
  async connections(instance: PodInstance): Promise<DumpedConnections> {
    const answers = await this.#ask((worker, request) => worker.send({ kind: "connections", request, instance }));
    const found = answers.flatMap((answer) => answer.kind === "connections" ? [answer.connections] : []);
    return {
      inbound: found.flatMap(({ inbound }) => inbound),
      outbound: found.flatMap(({ outbound }) => outbound),
    };
  }

  receive(answer: Answer): void {
    this.#waiting.get(answer.request)?.(answer);
    this.#waiting.delete(answer.request);
  }

  #ask(send: (worker: PodWorker, request: number) => void): Promise<Answer[]> {
    return Promise.all(this.#workers.map((worker) => {
      const { promise, resolve } = Promise.withResolvers<Answer>();
      const request = ++this.#last;
      this.#waiting.set(request, resolve);
      send(worker, request);
      return promise;
    }));
  }
}
