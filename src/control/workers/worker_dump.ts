/** The main isolate's side of a config dump's mesh sections: it requests the slices of one worker one by one. */
import type { DumpAnswer, DumpRequest } from "../../dataplane/dump_messages.ts";
import { PendingReplies } from "./pending_replies.ts";
import { MESH_SECTIONS, type MeshSection } from "../../mesh/dump/sections.ts";

/** The sections of one moment. The caller reads them in their order, each to its end, and calls `end` in any case. */
export interface MeshDumpReader {
  /** The text of the section's value, in slices. */
  section(name: MeshSection): AsyncGenerator<string, void, undefined>;
  end(): void;
}

/** The dumps that one worker makes. */
export class WorkerDumps {
  readonly #send: (request: DumpRequest) => void;
  /** By the number of the dump. */
  readonly #slices = new PendingReplies<DumpAnswer>();

  constructor(send: (request: DumpRequest) => void) {
    this.#send = send;
  }

  /** Begins a dump of the mesh as it is now. */
  begin(): MeshDumpReader {
    const dump = this.#slices.next();
    let next = 0;
    this.#send({ kind: "dump-begin", dump });
    return {
      section: (name) => {
        if (MESH_SECTIONS[next++] !== name) throw new Error(`${name} is not the next section`);
        return this.#read(dump);
      },
      end: () => {
        this.#slices.abandon(dump);
        this.#send({ kind: "dump-end", dump });
      },
    };
  }

  receive(answer: DumpAnswer): void {
    this.#slices.settle(answer.dump, answer);
  }

  async *#read(dump: number): AsyncGenerator<string, void, undefined> {
    for (;;) {
      const reply = this.#slices.wait(dump);
      this.#send({ kind: "dump-more", dump });
      const answer = await reply;
      if (answer.kind === "dump-failed") throw new Error(answer.message);
      yield answer.text;
      if (answer.ended) return;
    }
  }
}
