/**
 * The file at `CRL_PATH` (`docs/spec/identity-spire.md` 6.6): read at the start, looked at every two seconds, read again
 * when it was written or replaced, also by Kubernetes' exchange of links.
 *
 * A missing file is waited for, with nothing revoked: the ConfigMap behind it is optional. A file that exists but
 * cannot be used must not let a revoked peer in. At the start the proxy waits until the file can be used
 * ({@link CrlSource.usable}), instead of ending and being restarted again and again. Later on the lists that were read
 * before stay in force.
 */
import type { Clock } from "../grpc/channel.ts";
import { fileVersion, readSmallBytes } from "../grpc/small_file.ts";
import type { RevocationList } from "../identity/crl.ts";
import { isMalformedFile, parseCrlFile } from "../identity/crl_file.ts";
import type { WriteLine } from "../identity/manager_events.ts";
import { nameText } from "../identity/name_text.ts";

/** ms between looks at the file. */
const LOOK = 2000;
/** Some hundred thousand entries. */
const MAX_BYTES = 32 * 1024 * 1024;

export interface CrlSourceOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly log: WriteLine;
}

export class CrlSource {
  readonly #options: CrlSourceOptions;
  /** Of the file that was read last, whatever came of it; null: there was none. */
  #version: string | null = null;
  #lists: readonly RevocationList[] = [];
  readonly #usable = Promise.withResolvers<void>();
  /** Why the first file cannot be used; null: it was read. */
  #problem: string | null = null;
  #timer: { cancel(): void } | null = null;
  #closed = false;

  private constructor(options: CrlSourceOptions) {
    this.#options = options;
  }

  static async open(options: CrlSourceOptions): Promise<CrlSource> {
    const source = new CrlSource(options);
    await source.#readFirst();
    return source;
  }

  /** Why {@link usable} is still pending; null: it has resolved. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Resolves when a list is in force, or there is no file. Needs {@link watch}. */
  get usable(): Promise<void> {
    return this.#usable.promise;
  }

  /** The lists in force, once {@link usable} has resolved. */
  get lists(): readonly RevocationList[] {
    return this.#lists;
  }

  /** `onChange` gets the lists of each new version of the file that can be used. */
  watch(onChange: (lists: readonly RevocationList[]) => void): void {
    this.#timer = this.#options.clock.after(LOOK, () => void this.#look(onChange));
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  async #look(onChange: (lists: readonly RevocationList[]) => void): Promise<void> {
    const { path } = this.#options;
    const version = await fileVersion(path);
    if (this.#problem !== null) {
      await this.#readFirst();
      if (this.#problem === null && !this.#closed) onChange(this.#lists);
    } else if (version !== this.#version) {
      const before = this.#lists;
      const problem = version === null ? "the file is gone" : await this.#read();
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

  /** Also when the file was not written: its access rights may have changed. */
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
        `can be used, as revoked peers would be let in (it is looked at every ${LOOK / 1000} s)`;
      log("error", text, this.#fields());
    }
  }

  /** Null: done, or there is no file. Else the reason why what was known stays. */
  async #read(): Promise<string | null> {
    const { path } = this.#options;
    // Before the content: a file written in between is then read once too often rather than not at all.
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
        `the revocation list of ${nameText(issuer)} is overdue since ${since}; it counts all the same`,
        this.#fields(),
      );
    }
  }

  #fields(): Readonly<Record<string, string>> {
    return { path: this.#options.path };
  }
}
