/** What this isolate asks the control plane on demand, by way of main. Who asks for the same name shares the answer. */
import type { Lookups } from "../proxy/lookups.ts";
import type { LookupResult } from "../xds/lookups.ts";

type Done = (failure: string | null) => void;

export class MeshLookups implements Lookups {
  readonly #request: (name: string) => void;
  /** By name; a connection waits for one name at a time, and main answers each within ten seconds. */
  readonly #waiting = new Map<string, Set<{ readonly done: Done }>>();

  constructor(request: (name: string) => void) {
    this.#request = request;
  }

  ask(name: string, done: Done): () => void {
    const waiter = { done };
    let waiting = this.#waiting.get(name);
    if (waiting === undefined) {
      this.#waiting.set(name, waiting = new Set());
      this.#request(name);
    }
    waiting.add(waiter);
    return () => void waiting.delete(waiter);
  }

  /** What was known under the name has been applied before. */
  answered(name: string, answer: LookupResult): void {
    const waiting = this.#waiting.get(name);
    this.#waiting.delete(name);
    for (const { done } of waiting ?? []) done(failureOf(name, answer));
  }
}

function failureOf(name: string, answer: LookupResult): string | null {
  switch (answer) {
    case "known":
    case "absent":
      return null;
    case "expired":
      return `the control plane did not say in time what ${name} is`;
    case "refused":
      return `the control plane cannot be asked what ${name} is: too many wait for it`;
    default:
      return answer satisfies never;
  }
}
