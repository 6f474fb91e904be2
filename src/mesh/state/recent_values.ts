/**
 * Values by number, of which those used last are kept: between one and two times the limit. The rest is made again when
 * it is needed.
 */
export class RecentValues<V> {
  readonly #limit: number;
  #young = new Map<number, V>();
  #old = new Map<number, V>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(id: number): V | undefined {
    const value = this.#young.get(id);
    if (value !== undefined || this.#old.size === 0) return value;
    const older = this.#old.get(id);
    if (older !== undefined) this.set(id, older);
    return older;
  }

  set(id: number, value: V): void {
    if (this.#young.size >= this.#limit) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(id, value);
  }

  delete(id: number): void {
    this.#young.delete(id);
    this.#old.delete(id);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}
