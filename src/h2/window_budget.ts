/**
 * Limits how far the receive windows of all connections of one thread may grow in total beyond their initial size.
 * While an application does not read, we must hold up to a whole window of bytes, so the sum of the windows counts as
 * memory.
 */
export class WindowBudget {
  #granted = 0;

  /** `most`: the limit in bytes. */
  constructor(readonly most: number) {}

  /** Bytes that are granted and not given back. */
  get granted(): number {
    return this.#granted;
  }

  /** Grants all of `bytes`, or grants nothing and returns false. */
  take(bytes: number): boolean {
    if (this.#granted + bytes > this.most) return false;
    this.#granted += bytes;
    return true;
  }

  /** Gives back bytes that {@link take} has granted. */
  giveBack(bytes: number): void {
    this.#granted -= bytes;
  }
}
