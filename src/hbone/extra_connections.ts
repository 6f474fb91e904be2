/** Bounds the connections that all pools of one event loop make only to spread streams. */

/** About 7 MB on either side of the connections. */
const MOST = 128;

/** A number of connections that may be taken and given back. */
export class ExtraConnections {
  #left: number;

  constructor(most = MOST) {
    this.#left = most;
  }

  /** False: all are in use. */
  take(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    return true;
  }

  giveBack(): void {
    this.#left++;
  }
}
