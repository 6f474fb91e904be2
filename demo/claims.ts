/** Claims are checked when they are printed. The first that does not hold ends the demo. */
import type { Terminal } from "./terminal.ts";

/** A claim does not hold. */
class ClaimFailed extends Error {
  override readonly name = "ClaimFailed";
}

/** Checks and counts claims. */
export class Claims {
  readonly #terminal: Terminal;

  #held = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Claims that have held. */
  get held(): number {
    return this.#held;
  }

  /** Prints the claim `text`. Throws `ClaimFailed` unless it `holds`; `found` says what was seen instead. */
  check(holds: boolean, text: string, found: () => string): void {
    const { say, good, bad } = this.#terminal;
    if (!holds) {
      say(`   ${bad("✗")} ${text}`);
      throw new ClaimFailed(`does not hold: ${text}\n  found: ${found()}`);
    }
    this.#held++;
    say(`   ${good("✓")} ${text}`);
  }
}
