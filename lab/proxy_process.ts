/** One proxy as a process of its own: started, followed by its log, stopped by its id. */
import { productFlags } from "./product_flags.ts";
import { inheritedEnvironment, WITH_PARENT } from "./child.ts";
import { type LogLine, parseLogLine } from "./log_line.ts";

/** Lines kept; the oldest go first. */
const KEPT_LINES = 10_000;
const KEPT_COMPLAINTS = 5;
/** Without news for so long, what is waited for will not come. */
const PATIENCE_MS = 30_000;
/** From the wish to stop to force. */
const GRACE_MS = 5_000;

/** A program and the arguments before the proxy's own. */
export interface Launcher {
  readonly command: string;
  readonly args: readonly string[];
}

/** The executable named by `ZTUNNEL_EXECUTABLE`, else this runtime with the flags of the task `start`. */
export function launcher(settings: Readonly<Record<string, string>>): Launcher {
  const executable = Deno.env.get("ZTUNNEL_EXECUTABLE");
  if (executable) return { command: executable, args: [] };
  return { command: Deno.execPath(), args: ["run", ...productFlags(settings), "main.ts"] };
}

export class Node {
  readonly #child: Deno.ChildProcess;
  readonly #lines: LogLine[] = [];
  /** From standard error, such as the reason why it could not start. */
  readonly #complaints: string[] = [];
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
    this.#died.promise.catch(() => {}); // there may be nobody who asks
    this.#ended = this.#follow();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Rejects when the process ends without having been asked to. */
  get died(): Promise<never> {
    return this.#died.promise;
  }

  /** The lines so far that `wanted` picks. */
  find(wanted: (line: LogLine) => boolean): LogLine[] {
    return this.#lines.filter(wanted);
  }

  /** The first line, past or future, that `wanted` picks. `what` names it in the error when it does not come. */
  async line(what: string, wanted: (line: LogLine) => boolean): Promise<LogLine> {
    const [line] = await this.lines(what, 1, wanted);
    return line!;
  }

  /** The first `size` lines, past or future, that `wanted` picks. */
  async lines(what: string, size: number, wanted: (line: LogLine) => boolean): Promise<LogLine[]> {
    const found = this.find(wanted).slice(0, size);
    if (found.length >= size) return found;
    const complete = Promise.withResolvers<void>();
    const late = () => complete.reject(new Error(`${this.name} did not log ${what} (${found.length} of ${size})`));
    const timer = setTimeout(late, PATIENCE_MS);
    const stop = this.watch((line) => {
      if (!wanted(line)) return;
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

  /** Tells of each new line until the returned function is called. */
  watch(onLine: (line: LogLine) => void): () => void {
    this.#watchers.add(onLine);
    return () => void this.#watchers.delete(onLine);
  }

  /** Asks it to end, and makes it end if it does not. */
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
      // it has ended
    }
  }

  async #follow(): Promise<void> {
    await Promise.all([
      eachLine(this.#child.stdout, (text) => this.#log(text)),
      eachLine(this.#child.stderr, (text) => this.#complain(text)),
    ]);
    const { code, signal } = await this.#child.status;
    if (this.#stopping) return;
    const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
    this.#died.reject(new Error([`${this.name} ${how}`, ...this.#complaints].join("\n  ")));
  }

  #log(text: string): void {
    const line = parseLogLine(text);
    if (line === null) return; // such as a line of the configuration, which is logged at start
    this.#lines.push(line);
    if (this.#lines.length > KEPT_LINES) this.#lines.shift();
    for (const onLine of this.#watchers) onLine(line);
  }

  #complain(text: string): void {
    if (text.trim() !== "") this.#complaints.push(text);
    if (this.#complaints.length > KEPT_COMPLAINTS) this.#complaints.shift();
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
