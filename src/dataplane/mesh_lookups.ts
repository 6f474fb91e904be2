/** Lookups on demand of one isolate, which main passes on to the control plane. Callers share lookups of one name. */
import type { Lookups } from "../proxy/lookups.ts";
import type { LookupResult } from "../xds/lookups.ts";

type Done = (failure: string | null) => void;

/** Requests each name once while lookups of it are pending. */
export class MeshLookups implements Lookups {
  readonly #request: (name: string) => void;
  /** Callers by name. A connection waits for one name at a time, and main answers each within 10 s. */
  readonly #pending = new Map<string, Set<{ readonly done: Done }>>();

  constructor(request: (name: string) => void) {
    this.#request = request;
  }

  lookUp(name: string, done: Done): () => void {
    const caller = { done };
    let callers = this.#pending.get(name);
    if (callers === undefined) {
      this.#pending.set(name, callers = new Set());
      this.#request(name);
    }
    callers.add(caller);
    return () => void callers.delete(caller);
  }

  /** The result of a request. Resources with that name have been applied before. */
  settle(name: string, result: LookupResult): void {
    const callers = this.#pending.get(name);
    this.#pending.delete(name);
    for (const { done } of callers ?? []) done(failureOf(name, result));
  }
}

function failureOf(name: string, result: LookupResult): string | null {
  switch (result) {
    case "known":
    case "absent":
      return null;
    case "expired":
      return `the control plane did not say in time what ${name} is`;
    case "refused":
      return `the control plane cannot be asked what ${name} is: too many wait for it`;
    default:
      return result satisfies never;
  }
}
