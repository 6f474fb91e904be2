/** Everything that one run has started, and its end: processes, namespaces, temporary files. */
import { Processes } from "./processes.ts";
import type { Variant } from "./pair.ts";
import type { ProxyUnderTest } from "./pair.ts";
import { bestRig, type Link, openLink } from "./rig.ts";
import { Subject } from "./subject.ts";

/** The resources of a run. */
export class Session {
  /** Holds the files of the run; removed at its end. */
  readonly directory = Deno.makeTempDirSync({ prefix: "ztunnel-bench-" });
  /** Ends each started pair: processes first, then their namespaces. */
  readonly #ends = new Set<() => Promise<void>>();
  #places = 0;
  #closing: Promise<void> | null = null;

  constructor(readonly rig: Link["kind"] = bestRig()) {}

  /** Starts a pair with its application on a new link. */
  async start(kind: ProxyUnderTest, variant: Variant = {}): Promise<Subject> {
    if (this.#closing !== null) throw new Error(`Cannot start ${kind.title}: the run is ending`);
    const number = this.#places++;
    const directory = `${this.directory}/${number}-${kind.id}`;
    Deno.mkdirSync(directory);
    const processes = new Processes(directory);
    const link = await openLink(this.rig, processes, `${Deno.pid}-${number}`, variant);
    const end = async () => {
      this.#ends.delete(end);
      await processes.stopAll();
      await link.close();
    };
    this.#ends.add(end);
    return await Subject.start(kind, { processes, link, directory, end }, variant);
  }

  /** Ends all that `start` started; others may be started then. */
  async stopSubjects(): Promise<void> {
    await Promise.all([...this.#ends].map((end) => end()));
  }

  /** Ends all subjects and removes the files. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.stopSubjects();
    await Deno.remove(this.directory, { recursive: true });
  }
}
