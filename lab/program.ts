/**
 * Starts other programs in tests and waits for their output. They are killed when their scope or the test process ends.
 *
 * Ports: let the program choose (`:0`) and read the number from its output, or run it in its own network namespace
 * (`namespace.ts`). Looking for a free port first is a race.
 */
import process from "node:process";
import { WITH_PARENT } from "./child.ts";
import { afterRunning } from "./running_time.ts";

/** How to start a program. */
export interface ProgramOptions {
  readonly args?: readonly string[];
  /** Added to a small fixed environment (PATH, HOME, TMPDIR, no colours); nothing else is inherited. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Name of a network namespace made by `ip netns`. */
  readonly namespace?: string;
  /** Standard input is what {@link Program.type} writes; otherwise it is empty. */
  readonly input?: boolean;
}

/** How a program ended. */
export interface Ended {
  readonly code: number;
  readonly signal: string | null;
  /** The output of both streams, up to {@link KEPT_LINES} lines. */
  readonly output: string;
}

/** How many lines of the output are kept: the first ones, for which tests wait. */
const KEPT_LINES = 5000;
/** The limit only keeps a broken test from hanging; no test asserts on time. */
const LIMIT_MS = 120_000;

/** A running program. */
export class Program implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>> | null;
  readonly #lines: string[] = [];
  readonly #watchers = new Set<() => void>();
  readonly #lineCallbacks: ((line: string) => void)[] = [];
  readonly #finished: Promise<Ended>;
  #hasEnded = false;
  /** Null while its output is read. */
  #reading: PromiseWithResolvers<void> | null = null;

  constructor(readonly command: string, options: ProgramOptions = {}) {
    const inside = options.namespace === undefined ? [] : ["ip", "netns", "exec", options.namespace];
    // In its own session, so that its children can be killed with it. All of these call exec, so the pid stays.
    this.#child = new Deno.Command("setsid", {
      args: [...WITH_PARENT, ...inside, command, ...options.args ?? []],
      clearEnv: true,
      env: { ...fixedEnvironment(), ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdin: options.input ? "piped" : "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = options.input ? this.#child.stdin.getWriter() : null;
    this.#finished = this.#follow();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The lines so far, of both streams. */
  get printed(): readonly string[] {
    return this.#lines;
  }

  /** Writes to its standard input. */
  async type(text: string): Promise<void> {
    await this.#input?.write(new TextEncoder().encode(text));
  }

  /** Calls `onLine` with each further line, also with those beyond the kept ones. */
  watch(onLine: (line: string) => void): void {
    this.#lineCallbacks.push(onLine);
  }

  /** Stops reading its output, which then fills the pipes, apart from a few blocks that were read already. */
  stopReading(): void {
    this.#reading ??= Promise.withResolvers();
  }

  /** Reads its output again. */
  resumeReading(): void {
    this.#reading?.resolve();
    this.#reading = null;
  }

  /** Returns the first line, past or future, that matches. Throws with the output if the program ends before. */
  async line(pattern: RegExp): Promise<RegExpMatchArray> {
    const [found] = await this.matches(pattern, 1);
    return found!;
  }

  /** Returns the first `count` matching lines; otherwise as {@link line}. */
  async matches(pattern: RegExp, count: number): Promise<RegExpMatchArray[]> {
    const deadline = Promise.withResolvers<never>();
    const cancel = afterRunning(LIMIT_MS, () => deadline.reject(this.#failure(`did not print ${pattern}`)));
    const found: RegExpMatchArray[] = [];
    try {
      for (let next = 0;;) {
        for (; next < this.#lines.length; next++) {
          const match = this.#lines[next]?.match(pattern);
          if (match && found.push(match) === count) return found;
        }
        if (this.#hasEnded) throw this.#failure(`ended without printing ${pattern}`);
        await Promise.race([this.#nextLines(), deadline.promise]);
      }
    } finally {
      cancel();
    }
  }

  /** Waits until it has ended. */
  async ended(): Promise<Ended> {
    const deadline = Promise.withResolvers<never>();
    const cancel = afterRunning(LIMIT_MS, () => deadline.reject(this.#failure("did not end")));
    try {
      return await Promise.race([this.#finished, deadline.promise]);
    } finally {
      cancel();
    }
  }

  /** Sends a signal, unless it has ended. */
  signal(signal: Deno.Signal): void {
    if (!this.#hasEnded) this.#child.kill(signal);
  }

  /** Sends a signal and waits until it has ended. */
  stop(signal: Deno.Signal = "SIGTERM"): Promise<Ended> {
    this.signal(signal);
    return this.ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      process.kill(-this.pid, "SIGKILL");
    } catch {
      // No process is left in the session.
    }
    this.resumeReading();
    await this.#finished;
    await this.#input?.close().catch(() => {}); // its reader has ended
  }

  async #follow(): Promise<Ended> {
    await Promise.all([this.#collect(this.#child.stdout), this.#collect(this.#child.stderr)]);
    const { code, signal } = await this.#child.status;
    this.#hasEnded = true;
    this.#notify();
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
    for (const onLine of this.#lineCallbacks) lines.forEach((line) => onLine(line));
    this.#notify();
  }

  #nextLines(): Promise<void> {
    return new Promise((resolve) => this.#watchers.add(resolve));
  }

  #notify(): void {
    for (const notify of this.#watchers) notify();
    this.#watchers.clear();
  }

  #failure(what: string): Error {
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

/** Runs a program and returns its output; throws unless it succeeds. */
export async function run(command: string, ...args: readonly string[]): Promise<string> {
  await using program = new Program(command, { args });
  const { code, output } = await program.ended();
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}: ${output}`);
  return output;
}
