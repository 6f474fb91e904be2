/** A proxy as a process of its own, started as operators start it, known by its log, gone when the scope ends. */
import { dirname } from "node:path";
import { countSystemFolder, readSystemFolder, readSystemLink } from "../src/os/system_files.ts";
import { WITH_PARENT } from "./child.ts";
import { type LogLine, parseLogLine } from "./log_line.ts";
import { launcher } from "./proxy_process.ts";
import { productFlags } from "./product_flags.ts";
import { inheritedEnvironment } from "./environment.ts";
import { eventually } from "./patience.ts";
import { type Ended, Program } from "./program.ts";

const ROOT = new URL("..", import.meta.url).pathname;

export interface ProxyOptions {
  /** Of the program itself: `version`. */
  readonly args?: readonly string[];
  /** Words before the command, such as `setpriv` and its own. */
  readonly before?: readonly string[];
  /** Name of a network namespace. */
  readonly namespace?: string;
  /** Path of another proxy in place of ours, such as the Rust ztunnel. */
  readonly executable?: string;
  /** A program from the top of the project in place of the proxy's own, always by this runtime. */
  readonly program?: string;
}

/** `host` and `port` of a listener. */
export interface Place {
  readonly hostname: string;
  readonly port: number;
}

export class Proxy implements AsyncDisposable {
  readonly program: Program;

  constructor(settings: Readonly<Record<string, string>>, options: ProxyOptions = {}) {
    const { command, args } = commandOf(options, settings);
    // Words before it may have changed its rights, and with them what ends it.
    const before = options.before === undefined ? [] : [...options.before, ...WITH_PARENT];
    const [first = command, ...words] = [...before, command, ...args, ...options.args ?? []];
    this.program = new Program(first, {
      args: words,
      env: { ...inheritedEnvironment(), ...settings },
      cwd: ROOT,
      ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
    });
  }

  /** Started, and ready to serve. */
  static async ready(settings: Readonly<Record<string, string>>, options: ProxyOptions = {}): Promise<Proxy> {
    const proxy = new Proxy(settings, options);
    try {
      await proxy.line(/marking server ready/);
      return proxy;
    } catch (error) {
      await proxy[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Not a proxy but one of the programs in `tests/fixtures`, from the top of the project. */
  static fixture(program: string, args: readonly string[], namespace: string): Program {
    const command = { command: Deno.execPath(), args: ["run", "-A", "--no-prompt", program] };
    return new Program(command.command, {
      args: [...command.args, ...args],
      env: inheritedEnvironment(),
      cwd: ROOT,
      namespace,
    });
  }

  get pid(): number {
    return this.program.pid;
  }

  /** The first line, past or future, whose text matches. */
  async line(pattern: RegExp): Promise<LogLine> {
    const found = await this.program.line(pattern);
    const line = parseLogLine(found.input ?? "");
    if (line === null) throw new Error(`this is no log line: ${found.input}`);
    return line;
  }

  /** Log lines so far, in their order. */
  get lines(): LogLine[] {
    return this.program.printed.map(parseLogLine).filter((line) => line !== null);
  }

  /** Lines of the access log so far. */
  get access(): LogLine[] {
    return this.lines.filter(({ scope }) => scope === "access");
  }

  /** Where the listener `component` stands, by its log. */
  async place(component: string): Promise<Place> {
    const { fields } = await this.line(new RegExp(`listener established.* component="${component}"`));
    const [, hostname = "", port = ""] = /^\[?([^\]]*)\]?:(\d+)$/.exec(fields.get("address") ?? "") ?? [];
    return { hostname, port: Number(port) };
  }

  async url(component: string, path: string): Promise<string> {
    const { hostname, port } = await this.place(component);
    return `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}${path}`;
  }

  /** Open descriptors, as the kernel lists them. */
  get descriptors(): number {
    return countSystemFolder(`/proc/${this.pid}/fd`);
  }

  /** Waits until no more than `count` descriptors are open. */
  async descriptorsBackTo(count: number): Promise<void> {
    await eventually(
      `a return to ${count} open descriptors`,
      () => this.descriptors <= count,
      () => `(${this.descriptors} are open: ${this.#descriptorList()})`,
    );
  }

  signal(signal: Deno.Signal): void {
    this.program.signal(signal);
  }

  ended(): Promise<Ended> {
    return this.program.ended();
  }

  stop(signal: Deno.Signal = "SIGTERM"): Promise<Ended> {
    return this.program.stop(signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.program[Symbol.asyncDispose]();
  }

  #descriptorList(): string {
    const folder = `/proc/${this.pid}/fd`;
    return readSystemFolder(folder).map((name) => `${name}=${readLink(`${folder}/${name}`)}`).join(" ");
  }
}

/** Has all that these programs import at hand: in a namespace there is no way to get it. */
export async function cacheProgram(...programs: readonly string[]): Promise<void> {
  await using program = new Program(Deno.execPath(), {
    args: ["cache", "--quiet", ...programs],
    env: inheritedEnvironment(),
    cwd: ROOT,
  });
  const { code, output } = await program.ended();
  if (code !== 0) throw new Error(`${programs.join(", ")} cannot be loaded: ${output}`);
}

function commandOf(
  { executable, program }: ProxyOptions,
  settings: Readonly<Record<string, string>>,
): { command: string; args: readonly string[] } {
  if (executable !== undefined) return { command: executable, args: [] };
  if (program === undefined) return launcher(settings);
  return { command: Deno.execPath(), args: ["run", ...productFlags(settings, dirname(program)), program] };
}

function readLink(path: string): string {
  try {
    return readSystemLink(path);
  } catch {
    return "closed meanwhile";
  }
}
