/** Counts how often each decision was made in one isolate, by id. */

/** Ids; of further ones the oldest is removed. */
const MOST = 10_000;

/** The counts since the start. */
export class DecisionCounts {
  readonly #counts = new Map<string, number>();

  add(id: string): void {
    const count = this.#counts.get(id);
    this.#counts.set(id, (count ?? 0) + 1);
    if (count !== undefined || this.#counts.size <= MOST) return;
    for (const oldest of this.#counts.keys()) return void this.#counts.delete(oldest);
  }

  of(id: string): number {
    return this.#counts.get(id) ?? 0;
  }

  ids(): Iterable<string> {
    return this.#counts.keys();
  }
}
