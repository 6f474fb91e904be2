/**
 * Other programs in tests: started, waited for by what they print, and gone when the scope ends, or when the test
 * process does, however that comes.
 *
 * Ports: let the program choose (`:0`) and read the number from its output, or give it a network namespace of its own
 * (`namespace.ts`). To look for a free port first is a race.
 */
import process from "node:process";
import { WITH_PARENT } from "./child.ts";
import { afterRunning } from "./running_time.ts";

export interface ProgramOptions {
  readonly args?: readonly string[];
  /** Added to a small fixed environment (PATH, HOME, TMPDIR, no colours); nothing else is inherited. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Name of a network namespace made by `ip netns`. */
  readonly namespace?: string;
}

export interface Ended {
  readonly code: number;
  readonly signal: string | null;
  /** All that was printed on either stream, within {@link KEPT_LINES}. */
  readonly output: string;
}

/** Lines kept of a program's output: the first ones, as what tests wait for comes early. */
const KEPT_LINES = 5000;
/** No test asserts on time; this only keeps a broken one from hanging. */
const PATIENCE_MS = 120_000;

export class Program implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: string[] = [];
  readonly #watchers = new Set<() => void>();
  readonly #finished: Promise<Ended>;
  #over = false;
  /** Null while its output is read. */
  #reading: PromiseWithResolvers<void> | null = null;

  constructor(readonly command: string, options: ProgramOptions = {}) {
    const inside = options.namespace === undefined ? [] : ["ip", "netns", "exec", options.namespace];
    // A session of its own, so that what it starts can be ended with it. All of these exec: the pid stays.
    this.#child = new Deno.Command("setsid", {
      args: [...WITH_PARENT, ...inside, command, ...options.args ?? []],
      clearEnv: true,
      env: { ...fixedEnvironment(), ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#finished = this.#follow();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The lines so far, of both streams. */
  get printed(): readonly string[] {
    return this.#lines;
  }

  /** Stops reading its output: what it prints from now on fills the pipes, except for a few blocks already read. */
  stopReading(): void {
    this.#reading ??= Promise.withResolvers();
  }

  readOn(): void {
    this.#reading?.resolve();
    this.#reading = null;
  }

  /** The first line, past or future, that matches. Fails with the output when the program ends or stays silent. */
  async line(pattern: RegExp): Promise<RegExpMatchArray> {
    const [found] = await this.matches(pattern, 1);
    return found!;
  }

  /** The first `count` lines, past or future, that match; otherwise as {@link line}. */
  async matches(pattern: RegExp, count: number): Promise<RegExpMatchArray[]> {
    const deadline = Promise.withResolvers<never>();
    const cancel = afterRunning(PATIENCE_MS, () => deadline.reject(this.#complaint(`did not print ${pattern}`)));
    const found: RegExpMatchArray[] = [];
    try {
      for (let next = 0;;) {
        for (; next < this.#lines.length; next++) {
          const match = this.#lines[next]?.match(pattern);
          if (match && found.push(match) === count) return found;
        }
        if (this.#over) throw this.#complaint(`ended without printing ${pattern}`);
        await Promise.race([this.#news(), deadline.promise]);
      }
    } finally {
      cancel();
    }
  }

  /** Its end, by itself. */
  async ended(): Promise<Ended> {
    const deadline = Promise.withResolvers<never>();
    const cancel = afterRunning(PATIENCE_MS, () => deadline.reject(this.#complaint("did not end")));
    try {
      return await Promise.race([this.#finished, deadline.promise]);
    } finally {
      cancel();
    }
  }

  signal(signal: Deno.Signal): void {
    if (!this.#over) this.#child.kill(signal);
  }

  /** Asks it to end and waits. */
  stop(signal: Deno.Signal = "SIGTERM"): Promise<Ended> {
    this.signal(signal);
    return this.ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      process.kill(-this.pid, "SIGKILL");
    } catch {
      // nobody is left in the session
    }
    this.readOn();
    await this.#finished;
  }

  async #follow(): Promise<Ended> {
    await Promise.all([this.#collect(this.#child.stdout), this.#collect(this.#child.stderr)]);
    const { code, signal } = await this.#child.status;
    this.#over = true;
    this.#tell();
    return { code, signal, output: this.#lines.join("\n") };
  }

  async #collect(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      await this.#reading?.promise;
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      this.#keep(lines);
    }
    if (rest !== "") this.#keep([rest]);
  }

  #keep(lines: readonly string[]): void {
    this.#lines.push(...lines.slice(0, Math.max(0, KEPT_LINES - this.#lines.length)));
    this.#tell();
  }

  #news(): Promise<void> {
    return new Promise((resolve) => this.#watchers.add(resolve));
  }

  #tell(): void {
    for (const wake of this.#watchers) wake();
    this.#watchers.clear();
  }

  #complaint(what: string): Error {
    return new Error(`${this.command} ${what}; its last lines:\n${this.#lines.slice(-20).join("\n")}`);
  }
}

function fixedEnvironment(): Record<string, string> {
  const folder = Deno.env.get("TMPDIR");
  return {
    PATH: Deno.env.get("PATH") ?? "",
    HOME: Deno.env.get("HOME") ?? "/",
    NO_COLOR: "1",
    ...folder !== undefined && { TMPDIR: folder },
  };
}

/** Runs a program to its end and returns its output; throws unless it succeeds. */
export async function run(command: string, ...args: readonly string[]): Promise<string> {
  await using program = new Program(command, { args });
  const { code, output } = await program.ended();
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}: ${output}`);
  return output;
}
