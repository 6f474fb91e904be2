/**
 * Reads the file at `CRL_PATH` (`docs/spec/identity-spire.md` 6.6) at the start, checks it every two seconds, and reads
 * it again when it was written or replaced, also by a change of symbolic links as Kubernetes does.
 *
 * While the file does not exist, nothing is revoked, as its ConfigMap is optional. A file that exists but cannot be used
 * must not have the effect that a revoked peer is accepted. At the start the proxy waits until the file can be used
 * ({@link CrlSource.usable}) instead of exiting and being restarted again and again. Later the lists that were read
 * before stay in force.
 */
import { fileVersion, readSmallBytes } from "../grpc/small_file.ts";
import type { RevocationList } from "../identity/crl.ts";
import { isMalformedFile, parseCrlFile } from "../identity/crl_file.ts";
import type { WriteLine } from "../identity/manager_events.ts";
import { nameText } from "../identity/name_text.ts";
import type { Clock, Timer } from "../net/clock.ts";

/** ms between checks of the file. */
const CHECK_INTERVAL = 2000;
/** Limit of the file; it allows some hundred thousand entries. */
const MAX_BYTES = 32 * 1024 * 1024;

/** What a source needs. `path`: of the file. */
interface CrlSourceOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly log: WriteLine;
}

/** The revocation lists of a file. */
export class CrlSource {
  readonly #options: CrlSourceOptions;
  /** The version of the file that was read last, successfully or not; null: it did not exist. */
  #version: string | null = null;
  #lists: readonly RevocationList[] = [];
  readonly #usable = Promise.withResolvers<void>();
  /** Why the first file cannot be used; null: it was read. */
  #problem: string | null = null;
  #timer: Timer | null = null;
  #closed = false;

  private constructor(options: CrlSourceOptions) {
    this.#options = options;
  }

  /** Reads the file and returns the source; does not reject for a file that cannot be used. */
  static async open(options: CrlSourceOptions): Promise<CrlSource> {
    const source = new CrlSource(options);
    await source.#readFirst();
    return source;
  }

  /** Why {@link usable} is still pending; null: it has resolved. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Resolves when a list is in force, or there is no file; {@link watch} must have been called. */
  get usable(): Promise<void> {
    return this.#usable.promise;
  }

  /** The lists in force; empty before {@link usable} has resolved. */
  get lists(): readonly RevocationList[] {
    return this.#lists;
  }

  /** Starts to check the file. `onChange` is called with the lists of each new version that can be used. */
  watch(onChange: (lists: readonly RevocationList[]) => void): void {
    this.#timer = this.#options.clock.after(CHECK_INTERVAL, () => void this.#check(onChange));
  }

  /** Stops the checks. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  async #check(onChange: (lists: readonly RevocationList[]) => void): Promise<void> {
    const { path } = this.#options;
    const version = await fileVersion(path);
    if (this.#problem !== null) {
      await this.#readFirst();
      if (this.#problem === null && !this.#closed) onChange(this.#lists);
    } else if (version !== this.#version) {
      const before = this.#lists;
      const problem = version === null ? "the file was removed" : await this.#read();
      if (version === null) this.#version = null;
      if (this.#closed) return;
      if (problem !== null) {
        this.#options.log(
          "warn",
          `cannot use the new revocation list: ${problem}; the last good one stays in force`,
          this.#fields(),
        );
      } else if (this.#lists !== before) onChange(this.#lists);
    }
    if (!this.#closed) this.watch(onChange);
  }

  /** Reads the file until it can be used, also when it did not change, as its access rights may have changed. */
  async #readFirst(): Promise<void> {
    const { path, log } = this.#options;
    const before = this.#problem;
    this.#problem = await this.#read();
    if (this.#problem === null) {
      this.#usable.resolve();
      if (this.#version !== null) return;
      log("warn", "crl file not found, waiting for it: nothing counts as revoked until then", this.#fields());
    } else if (this.#problem !== before) {
      const text =
        `cannot use CRL_PATH "${path}": ${this.#problem}; this proxy serves no pod and is not ready until it ` +
        `can be used, as revoked peers would be accepted (it is checked every ${CHECK_INTERVAL / 1000} s)`;
      log("error", text, this.#fields());
    }
  }

  /** Returns null after success or where the file does not exist; else why the earlier lists are kept. */
  async #read(): Promise<string | null> {
    const { path } = this.#options;
    // The version is read before the content, so that a file that is replaced in between is read again later.
    this.#version = await fileVersion(path);
    const read = await readSmallBytes(path, MAX_BYTES);
    if ("problem" in read) return read.missing ? null : `failed to read CRL file: ${read.problem}`;
    const lists = parseCrlFile(read.bytes);
    if (isMalformedFile(lists)) return lists.problem;
    this.#lists = lists;
    this.#report(lists);
    return null;
  }

  #report(lists: readonly RevocationList[]): void {
    const { log, clock } = this.#options;
    const revoked = lists.reduce((sum, { serials }) => sum + serials.size, 0);
    log("info", `revocation lists in force: ${lists.length}, certificates revoked: ${revoked}`, this.#fields());
    for (const { nextUpdate, issuer } of lists) {
      if (nextUpdate === null || nextUpdate > clock.now()) continue;
      const since = new Date(nextUpdate).toISOString();
      log(
        "warn",
        `the revocation list of ${nameText(issuer)} is overdue since ${since}; it stays in force`,
        this.#fields(),
      );
    }
  }

  #fields(): Readonly<Record<string, string>> {
    return { path: this.#options.path };
  }
}
