/** Runs a proxy as a process for the demo and benchmarks, and reads its log. */
import { productFlags } from "./product_flags.ts";
import { inheritedEnvironment, WITH_PARENT } from "./child.ts";
import { type LogLine, parseLogLine } from "./log_line.ts";

/** How many lines are kept; the oldest are dropped. */
const KEPT_LINES = 10_000;
const KEPT_ERRORS = 5;
/** The limit of waiting for a log line. */
const LIMIT_MS = 30_000;
/** The time from SIGTERM to SIGKILL. */
const GRACE_MS = 5_000;

/** A program and the arguments before those of the proxy. */
interface Launcher {
  readonly command: string;
  readonly args: readonly string[];
}

/** Returns the executable of `ZTUNNEL_EXECUTABLE`, else this runtime with the flags of the task `start`. */
export function launcher(settings: Readonly<Record<string, string>>): Launcher {
  const executable = Deno.env.get("ZTUNNEL_EXECUTABLE");
  if (executable) return { command: executable, args: [] };
  return { command: Deno.execPath(), args: ["run", ...productFlags(settings), "main.ts"] };
}

/** A running proxy. */
export class Node {
  readonly #child: Deno.ChildProcess;
  readonly #lines: LogLine[] = [];
  /** Lines of standard error, such as the reason why it could not start. */
  readonly #errors: string[] = [];
  readonly #watchers = new Set<(line: LogLine) => void>();
  readonly #died = Promise.withResolvers<never>();
  readonly #ended: Promise<void>;
  #stopping = false;

  constructor(readonly name: string, { command, args }: Launcher, settings: Readonly<Record<string, string>>) {
    const [first, ...words] = WITH_PARENT;
    this.#child = new Deno.Command(first, {
      args: [...words, command, ...args],
      clearEnv: true,
      env: { ...inheritedEnvironment(), ...settings },
      cwd: new URL("..", import.meta.url),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#died.promise.catch(() => {}); // callers need not await it
    this.#ended = this.#follow();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Rejects when the process ends without a call of {@link stop}. */
  get died(): Promise<never> {
    return this.#died.promise;
  }

  /** Returns the lines so far that match. */
  find(matches: (line: LogLine) => boolean): LogLine[] {
    return this.#lines.filter(matches);
  }

  /** Returns the first matching line, past or future. `what`: its name in the error if it does not appear. */
  async line(what: string, matches: (line: LogLine) => boolean): Promise<LogLine> {
    const [line] = await this.lines(what, 1, matches);
    return line!;
  }

  /** Returns the first `size` matching lines, past or future. */
  async lines(what: string, size: number, matches: (line: LogLine) => boolean): Promise<LogLine[]> {
    const found = this.find(matches).slice(0, size);
    if (found.length >= size) return found;
    const complete = Promise.withResolvers<void>();
    const late = () => complete.reject(new Error(`${this.name} did not log ${what} (${found.length} of ${size})`));
    const timer = setTimeout(late, LIMIT_MS);
    const stop = this.watch((line) => {
      if (!matches(line)) return;
      found.push(line);
      if (found.length === size) complete.resolve();
    });
    try {
      await Promise.race([complete.promise, this.died]);
      return found.slice(0, size);
    } finally {
      clearTimeout(timer);
      stop();
    }
  }

  /** Calls `onLine` for each new line until the returned function is called. */
  watch(onLine: (line: LogLine) => void): () => void {
    this.#watchers.add(onLine);
    return () => void this.#watchers.delete(onLine);
  }

  /** Sends SIGTERM, and SIGKILL if it does not end. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#signal("SIGTERM");
    const force = setTimeout(() => this.#signal("SIGKILL"), GRACE_MS);
    await this.#ended;
    clearTimeout(force);
  }

  #signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended.
    }
  }

  async #follow(): Promise<void> {
    await Promise.all([
      eachLine(this.#child.stdout, (text) => this.#log(text)),
      eachLine(this.#child.stderr, (text) => this.#error(text)),
    ]);
    const { code, signal } = await this.#child.status;
    if (this.#stopping) return;
    const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
    this.#died.reject(new Error([`${this.name} ${how}`, ...this.#errors].join("\n  ")));
  }

  #log(text: string): void {
    const line = parseLogLine(text);
    if (line === null) return; // such as a line of the configuration, which is logged at start
    this.#lines.push(line);
    if (this.#lines.length > KEPT_LINES) this.#lines.shift();
    for (const onLine of this.#watchers) onLine(line);
  }

  #error(text: string): void {
    if (text.trim() !== "") this.#errors.push(text);
    if (this.#errors.length > KEPT_ERRORS) this.#errors.shift();
  }
}

async function eachLine(stream: ReadableStream<Uint8Array<ArrayBuffer>>, take: (text: string) => void): Promise<void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) take(line);
  }
  take(rest);
}
