/** The config dumps in progress in one isolate. A dump takes the loop for one slice at a time. */
import { MESH_SECTIONS, MeshDump } from "../mesh/dump/sections.ts";
import type { MeshState } from "../mesh/state/state.ts";
import type { DumpAnswer, DumpRequest } from "./dump_messages.ts";

/** A slice ends with the piece that reaches one of these. */
const SLICE_CHARACTERS = 64 * 1024;
const SLICE_MILLIS = 3;

interface Session {
  readonly dump: MeshDump;
  /** Index in {@link MESH_SECTIONS}. */
  section: number;
  pieces: Iterator<string, void, undefined> | null;
}

/** Answers the requests of main. */
export class DumpSessions {
  readonly #state: MeshState;
  readonly #send: (answer: DumpAnswer) => void;
  readonly #now: () => number;
  /** By number of the dump. Main begins few at a time and ends each. */
  readonly #sessions = new Map<number, Session>();

  /** `now`: ms since a fixed moment. */
  constructor(state: MeshState, send: (answer: DumpAnswer) => void, now: () => number) {
    this.#state = state;
    this.#send = send;
    this.#now = now;
  }

  receive(request: DumpRequest): void {
    switch (request.kind) {
      case "dump-begin":
        this.#sessions.set(request.dump, { dump: new MeshDump(this.#state), section: 0, pieces: null });
        return;
      case "dump-more":
        return this.#send(this.#answer(request.dump));
      case "dump-end":
        this.#sessions.get(request.dump)?.dump.close();
        this.#sessions.delete(request.dump);
        return;
      default:
        request satisfies never;
    }
  }

  /** An exception fails the dump and not the worker. */
  #answer(dump: number): DumpAnswer {
    try {
      return { kind: "dump-slice", dump, ...this.#slice(dump) };
    } catch (error) {
      return { kind: "dump-failed", dump, message: error instanceof Error ? error.message : String(error) };
    }
  }

  #slice(dump: number): { text: string; ended: boolean } {
    const session = this.#sessions.get(dump);
    const section = MESH_SECTIONS[session?.section ?? 0];
    if (session === undefined || section === undefined) throw new Error("there is nothing more to dump");
    const pieces = session.pieces ??= session.dump.pieces(section);
    const end = this.#now() + SLICE_MILLIS;
    let text = "";
    do {
      const piece = pieces.next();
      if (piece.done) {
        session.section++;
        session.pieces = null;
        return { text, ended: true };
      }
      text += piece.value;
    } while (text.length < SLICE_CHARACTERS && this.#now() < end);
    return { text, ended: false };
  }
}
