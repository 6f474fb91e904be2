/**
 * Resolves one host name: its candidates one after the other, both address families of each at once.
 *
 *     candidate ──▶ A, AAAA ──none──▶ next candidate … ──▶ does not exist
 *                     ├── one found ──the other, or 250 ms──▶ found
 *                     └── no answer ──▶ failed
 */
import type { Ip } from "../net/address.ts";
import type { Millis, Timer } from "../net/clock.ts";
import { FamilyLookup, type FamilyResult, type FamilySettings } from "./family_lookup.ts";
import { writeQuestion } from "./question_writer.ts";
import { TYPE_A, TYPE_AAAA } from "./wire.ts";

/** How long the addresses of one family wait for those of the other, as in RFC 8305 §3. */
const GRACE: Millis = 250;

/** The result of a lookup. */
export type HostLookupResult =
  /** `lifetime`: seconds for which it may be cached. */
  | { readonly kind: "addresses"; readonly addresses: readonly Ip[]; readonly lifetime: number }
  | { readonly kind: "failed"; readonly reason: string; readonly lifetime: number };

/** A lookup in progress; it begins with the constructor. */
export class HostLookup {
  readonly #settings: FamilySettings;
  readonly #types: readonly number[];
  readonly #candidates: string[];
  readonly #done: (result: HostLookupResult) => void;
  #lookups: FamilyLookup[] = [];
  #results: FamilyResult[] = [];
  #timer: Timer | null = null;
  #lastReason = "not a DNS name";
  #lifetime = Infinity;

  /** `candidates`: absolute names. `done` is called once, after the constructor, unless aborted. */
  constructor(
    settings: FamilySettings,
    candidates: readonly string[],
    ipv6: boolean,
    done: (result: HostLookupResult) => void,
  ) {
    this.#settings = settings;
    this.#types = ipv6 ? [TYPE_A, TYPE_AAAA] : [TYPE_A];
    this.#candidates = [...candidates];
    this.#done = done;
    this.#next();
  }

  /** Ends the lookup. `done` is not called. */
  abort(): void {
    this.#timer?.cancel();
    for (const lookup of this.#lookups) lookup.abort();
  }

  #next(): void {
    this.#results = [];
    this.#lookups = [];
    const name = this.#candidates.shift();
    if (name === undefined) {
      const lifetime = Number.isFinite(this.#lifetime) ? this.#lifetime : 0;
      // By timer, since possibly no question was sent and the constructor still runs.
      this.#timer = this.#settings.network.after(0, () => this.#fail(this.#lastReason, lifetime));
      return;
    }
    for (const type of this.#types) {
      const question = writeQuestion(name, type, this.#settings.edns);
      if (question === null) return this.#next();
      this.#lookups.push(new FamilyLookup(this.#settings, question, type, (result) => this.#onResult(result)));
    }
  }

  #onResult(result: FamilyResult): void {
    this.#results.push(result);
    if (this.#results.length === this.#types.length) return this.#complete();
    const useful = result.kind === "found" && result.addresses.length > 0;
    if (useful) this.#timer ??= this.#settings.network.after(GRACE, () => this.#complete());
  }

  #complete(): void {
    this.abort();
    this.#timer = null;
    const found = this.#results.filter((result) => result.kind === "found");
    if (found.length > 0) {
      const addresses = found.flatMap((result) => result.addresses);
      // Not cached where one family is missing: it may have an answer the next time.
      const complete = this.#results.length === this.#types.length &&
        this.#results.every(({ kind }) => kind !== "failed");
      const lifetime = complete ? Math.min(...found.map((result) => result.lifetime)) : 0;
      return this.#done({ kind: "addresses", addresses, lifetime });
    }
    const failed = this.#results.find((result) => result.kind === "failed");
    if (failed !== undefined) return this.#fail(failed.reason, 0);
    for (const result of this.#results) {
      if (result.kind !== "none") continue;
      this.#lastReason = result.reason;
      this.#lifetime = Math.min(this.#lifetime, result.lifetime);
    }
    this.#next();
  }

  #fail(reason: string, lifetime: number): void {
    this.#done({ kind: "failed", reason, lifetime });
  }
}
