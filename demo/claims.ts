/** Claims: each is checked when it is printed, and the first that does not hold ends the demo. */
import type { Terminal } from "./terminal.ts";

class ClaimFailed extends Error {
  override readonly name = "ClaimFailed";
}

export class Claims {
  #held = 0;

  constructor(private readonly terminal: Terminal) {}

  get held(): number {
    return this.#held;
  }

  /** Prints `text`. Throws with `found`, what was seen instead, unless it `holds`. */
  check(holds: boolean, text: string, found: () => string): void {
    const { say, good, bad } = this.terminal;
    if (!holds) {
      say(`   ${bad("✗")} ${text}`);
      throw new ClaimFailed(`does not hold: ${text}\n  found: ${found()}`);
    }
    this.#held++;
    say(`   ${good("✓")} ${text}`);
  }
}
