/**
 * How far the receive windows of all connections of one thread may grow beyond their first size together. A window is a
 * promise to hold that many bytes while an application does not read, so their sum counts in the memory of the node.
 */
export class WindowBudget {
  #granted = 0;

  /** `most`: bytes. */
  constructor(readonly most: number) {}

  /** Bytes that are granted now. */
  get granted(): number {
    return this.#granted;
  }

  /** Grants all of `bytes`, or nothing and returns false. */
  take(bytes: number): boolean {
    if (this.#granted + bytes > this.most) return false;
    this.#granted += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#granted -= bytes;
  }
}
