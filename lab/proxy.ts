/** Runs a proxy as a process, started as operators start it, and reads its log. It is killed when its scope ends. */
import { dirname } from "node:path";
import { countSystemFolder, readSystemFolder, readSystemLink } from "../src/os/system_files.ts";
import { WITH_PARENT } from "./child.ts";
import { type LogLine, parseLogLine } from "./log_line.ts";
import { launcher } from "./proxy_process.ts";
import { productFlags } from "./product_flags.ts";
import { inheritedEnvironment } from "./environment.ts";
import { eventually } from "./eventually.ts";
import { type Ended, Program } from "./program.ts";

const ROOT = new URL("..", import.meta.url).pathname;

/** How to start a proxy. */
export interface ProxyOptions {
  /** Arguments of the proxy, such as `version`. */
  readonly args?: readonly string[];
  /** Arguments before the command, such as `setpriv` with its options. */
  readonly before?: readonly string[];
  /** Name of a network namespace. */
  readonly namespace?: string;
  /** The path of another proxy, such as the Rust ztunnel. */
  readonly executable?: string;
  /** Another main module, relative to the top of the project. */
  readonly program?: string;
}

/** The address of a listener. */
export interface Place {
  readonly hostname: string;
  readonly port: number;
}

/** A running proxy. */
export class Proxy implements AsyncDisposable {
  readonly program: Program;

  constructor(settings: Readonly<Record<string, string>>, options: ProxyOptions = {}) {
    const { command, args } = commandOf(options, settings);
    // A change of privileges resets the death signal, so it is set again.
    const before = options.before === undefined ? [] : [...options.before, ...WITH_PARENT];
    const [first = command, ...words] = [...before, command, ...args, ...options.args ?? []];
    this.program = new Program(first, {
      args: words,
      env: { ...inheritedEnvironment(), ...settings },
      cwd: ROOT,
      ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
    });
  }

  /** Starts a proxy and waits until it is ready. */
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

  /** Starts a program of `tests/fixtures` instead of a proxy. `program`: relative to the top of the project. */
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

  /** Returns the first log line, past or future, whose text matches. */
  async line(pattern: RegExp): Promise<LogLine> {
    const found = await this.program.line(pattern);
    const line = parseLogLine(found.input ?? "");
    if (line === null) throw new Error(`this is no log line: ${found.input}`);
    return line;
  }

  /** All log lines so far. */
  get lines(): LogLine[] {
    return this.program.printed.map(parseLogLine).filter((line) => line !== null);
  }

  /** All lines of the access log so far. */
  get access(): LogLine[] {
    return this.lines.filter(({ scope }) => scope === "access");
  }

  /** Returns the address of the listener `component`, from the log. */
  async place(component: string): Promise<Place> {
    const { fields } = await this.line(new RegExp(`listener established.* component="${component}"`));
    const [, hostname = "", port = ""] = /^\[?([^\]]*)\]?:(\d+)$/.exec(fields.get("address") ?? "") ?? [];
    return { hostname, port: Number(port) };
  }

  /** Returns the URL of `path` on the listener `component`. */
  async url(component: string, path: string): Promise<string> {
    const { hostname, port } = await this.place(component);
    return `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}${path}`;
  }

  /** The number of open descriptors, from `/proc`. */
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

/** Downloads all imports of these programs, as in a network namespace the registries cannot be reached. */
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
