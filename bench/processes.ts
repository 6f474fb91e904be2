/**
 * Child processes of a run. Every process is started here, known by its pid and stopped by it, so that nothing is left
 * behind after Ctrl-C or a failure.
 */
import { readFileSync } from "node:fs";
import { readSystemFile } from "../src/os/system_files.ts";

/** A running child. Its output goes to the file `log`. */
export interface Started {
  readonly name: string;
  readonly pid: number;
  readonly log: string;
  /** False once the process has ended, by itself or by `stop`. */
  readonly alive: boolean;
  /** SIGTERM, then SIGKILL after `STOP_GRACE` milliseconds. */
  stop(): Promise<void>;
}

/** How a process is started. */
interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

const STOP_GRACE = 1500;
const DESCRIPTORS = 65536;
/** What a child may see of our environment; the rest is left out so that all proxies run under the same conditions. */
const INHERITED = ["PATH", "HOME", "DENO_DIR", "XDG_CACHE_HOME", "TMPDIR", "LANG"];

const RAISE_LIMIT = `ulimit -n ${DESCRIPTORS} 2>/dev/null || ulimit -n "$(ulimit -H -n)"`;
// `exec` keeps the pid, so the pid we know is the one of the program and not of the shell.
const WRAPPER = `${RAISE_LIMIT}; log=$1; shift; exec "$@" >"$log" 2>&1`;
const FOREGROUND_WRAPPER = `${RAISE_LIMIT}; exec "$@"`;

class Child implements Started {
  #done = false;
  readonly #child: Deno.ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor(readonly name: string, readonly log: string, child: Deno.ChildProcess) {
    this.#child = child;
    this.#ended = child.status.then(() => this.#done = true);
  }

  get pid(): number {
    return this.#child.pid;
  }

  get alive(): boolean {
    return !this.#done;
  }

  async stop(): Promise<void> {
    if (this.#done) return;
    this.#signal("SIGTERM");
    const timer = setTimeout(() => this.#signal("SIGKILL"), STOP_GRACE);
    await this.#ended;
    clearTimeout(timer);
  }

  #signal(name: Deno.Signal): void {
    try {
      this.#child.kill(name);
    } catch {
      // It ended between the look and the signal.
    }
  }
}

/** The processes of a run. */
export class Processes {
  readonly #started: Started[] = [];
  readonly #running = new Set<Deno.ChildProcess>();
  readonly #onStop: (() => Promise<void>)[] = [];
  #logs = 0;

  /** `directory` receives one log file per process. */
  constructor(readonly directory: string) {}

  /** Starts `argv` in the background. */
  start(name: string, argv: readonly string[], options: StartOptions = {}): Started {
    const log = `${this.directory}/${name}-${this.#logs++}.log`;
    Deno.writeTextFileSync(log, "");
    const command = new Deno.Command("sh", {
      args: ["-c", WRAPPER, "sh", log, ...argv],
      env: { ...inherited(), NO_COLOR: "1", ...options.env },
      clearEnv: true,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdin: "null",
      stdout: "null",
      stderr: "null",
    });
    const child = new Child(name, log, command.spawn());
    this.#started.push(child);
    return child;
  }

  /** Runs `argv` to its end and returns its standard output; throws with the end of its output when it fails. */
  async run(argv: readonly string[]): Promise<string> {
    const args = ["-c", FOREGROUND_WRAPPER, "sh", ...argv];
    const command = new Deno.Command("sh", { args, stdin: "null", stdout: "piped", stderr: "piped" });
    const child = command.spawn();
    this.#running.add(child);
    const { success, code, stdout, stderr } = await child.output().finally(() => this.#running.delete(child));
    const text = new TextDecoder().decode(stdout);
    if (success) return text;
    const said = (new TextDecoder().decode(stderr) + text).trim().slice(-600);
    throw new Error(`Cannot run "${argv.join(" ")}": exit code ${code}: ${said}`);
  }

  /** `end` runs after all processes have ended: of what they were served by from here. */
  onStop(end: () => Promise<void>): void {
    this.#onStop.push(end);
  }

  /** Ends everything that still runs, newest first. */
  async stopAll(): Promise<void> {
    for (const child of this.#running) {
      try {
        child.kill("SIGKILL");
      } catch {
        // Already gone.
      }
    }
    await Promise.all(this.#started.splice(0).reverse().map((child) => child.stop()));
    for (const end of this.#onStop.splice(0)) await end();
  }
}

function inherited(): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of INHERITED) {
    const value = Deno.env.get(name);
    if (value !== undefined) kept[name] = value;
  }
  return kept;
}

/** Waits until `child` has written something that matches; throws when it ends first or after `millis`. */
export async function waitForLog(child: Started, pattern: RegExp, millis: number): Promise<void> {
  await waitUntil(child, millis, `log line ${pattern}`, () => pattern.test(readFileSync(child.log, "utf8")));
}

/** Waits until something in the network namespace of `child` listens on each of the TCP `ports`. */
export async function waitForPorts(child: Started, ports: readonly number[], millis: number): Promise<void> {
  await waitUntil(child, millis, `listeners on ${ports.join(", ")}`, () => {
    const open = listeningPorts(child.pid);
    return ports.every((port) => open.has(port));
  });
}

async function waitUntil(child: Started, millis: number, what: string, done: () => boolean): Promise<void> {
  for (const end = performance.now() + millis; performance.now() < end; await sleep(20)) {
    if (done()) return;
    if (!child.alive) break;
  }
  const how = child.alive ? `not seen in ${millis} ms` : "the process ended";
  throw new Error(
    `Cannot use ${child.name} as it lacks ${what} (${how}):\n${readFileSync(child.log, "utf8").slice(-1500)}`,
  );
}

/** Ports in state LISTEN as `/proc/PID/net/tcp` shows them: the namespace is the one of the process. */
function listeningPorts(pid: number): Set<number> {
  const ports = new Set<number>();
  for (const table of ["tcp", "tcp6"]) {
    let text = "";
    try {
      text = readSystemFile(`/proc/${pid}/net/${table}`);
    } catch {
      continue;
    }
    for (const match of text.matchAll(/^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A /gm)) {
      ports.add(parseInt(match[1] ?? "0", 16));
    }
  }
  return ports;
}

/** Resolves after `millis`. */
export function sleep(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}
