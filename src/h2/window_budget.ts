/**
 * Bounds how far the receive windows of all connections of one thread may grow in total beyond their initial size. A
 * window is a promise to hold that many bytes while an application does not read, so the sum counts as memory.
 */
export class WindowBudget {
  #granted = 0;

  /** `most`: bytes. */
  constructor(readonly most: number) {}

  /** Bytes granted at the moment. */
  get granted(): number {
    return this.#granted;
  }

  /** Grants all of `bytes`, or grants nothing and returns false. */
  take(bytes: number): boolean {
    if (this.#granted + bytes > this.most) return false;
    this.#granted += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#granted -= bytes;
  }
}
