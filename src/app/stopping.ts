/**
 * The stop of the process (`docs/spec/config-admin.md` 7.3).
 *
 *     running ──begin──▶ draining ──force──▶ cutting
 *        └─────────────────force────────────────▲
 */

/** Says when the process is to end, and when its drain must not wait for open connections any more. */
export class Stopping {
  readonly #begun = Promise.withResolvers<void>();
  readonly #forced = Promise.withResolvers<void>();
  #state: "running" | "draining" | "cutting" = "running";

  get state(): "running" | "draining" | "cutting" {
    return this.#state;
  }

  /** Resolves when the stop begins. */
  get begun(): Promise<void> {
    return this.#begun.promise;
  }

  /** Resolves when open connections are to be cut. */
  get forced(): Promise<void> {
    return this.#forced.promise;
  }

  /** Begins the stop. No effect after it has begun. */
  begin(): void {
    if (this.#state !== "running") return;
    this.#state = "draining";
    this.#begun.resolve();
  }

  /** Begins the stop if it has not begun, and has open connections cut. Idempotent. */
  force(): void {
    this.begin();
    this.#state = "cutting";
    this.#forced.resolve();
  }
}
