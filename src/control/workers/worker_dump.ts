/** Main's side of a config dump's mesh sections: the slices of one worker, asked for one by one. */
import type { DumpAnswer, DumpRequest } from "../../dataplane/dump_messages.ts";
import { MESH_SECTIONS, type MeshSection } from "../../mesh/dump/sections.ts";

/** The sections of one moment. To be read in their order, each to its end; `end` once, in any case. */
export interface MeshDumpReader {
  /** The text of the section's value, in slices. */
  section(name: MeshSection): AsyncGenerator<string, void, undefined>;
  end(): void;
}

export class WorkerDumps {
  readonly #send: (request: DumpRequest) => void;
  /** Who waits for a slice, by dump. */
  readonly #waiting = new Map<number, (answer: DumpAnswer) => void>();
  #dumps = 0;

  constructor(send: (request: DumpRequest) => void) {
    this.#send = send;
  }

  begin(): MeshDumpReader {
    const dump = this.#dumps++;
    let next = 0;
    this.#send({ kind: "dump-begin", dump });
    return {
      section: (name) => {
        if (MESH_SECTIONS[next++] !== name) throw new Error(`${name} is not the next section`);
        return this.#slices(dump);
      },
      end: () => {
        this.#waiting.delete(dump);
        this.#send({ kind: "dump-end", dump });
      },
    };
  }

  receive(answer: DumpAnswer): void {
    const wait = this.#waiting.get(answer.dump);
    this.#waiting.delete(answer.dump);
    wait?.(answer);
  }

  async *#slices(dump: number): AsyncGenerator<string, void, undefined> {
    for (;;) {
      const { promise, resolve } = Promise.withResolvers<DumpAnswer>();
      this.#waiting.set(dump, resolve);
      this.#send({ kind: "dump-more", dump });
      const answer = await promise;
      if (answer.kind === "dump-failed") throw new Error(answer.message);
      yield answer.text;
      if (answer.ended) return;
    }
  }
}
