/** One `deno test` process: started, watched, and what it left behind cleared away. */
import { WITH_PARENT } from "../lab/child.ts";
import { parseJunit } from "./junit.ts";
import { TestHome } from "./test_home.ts";
import { isPicked, type Run } from "./test_report.ts";

/** Longest life of one test process. */
const LIMIT_MINUTES = 15;

/**
 * Of the runtime, for tests. With `--allow-run` they may start any program, and so do anything; still `--allow-all` is
 * not used, so that a test fails whose subject needs more than the proxy is given.
 */
const PERMISSIONS = [
  "--allow-env",
  "--allow-ffi",
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-run",
  "--allow-sys",
] as const;

export interface TestOptions {
  readonly filter: string | undefined;
  /** Types have been checked. */
  readonly checked: boolean;
}

interface TestProcess extends TestOptions {
  /** For the reader. */
  readonly label: string;
  readonly files: readonly string[];
  /** Start of the paths of files that share an isolate: to start one for each takes longer than most unit tests. */
  readonly together?: string;
  /** Whether its own output goes to ours as it comes, or when all is over. */
  readonly output: "live" | "late";
}

/** Runs it to its end. It is killed when that takes too long, or when `stop` says so. */
export async function runTests(test: TestProcess, stop: AbortSignal): Promise<Run> {
  const { label, filter, output } = test;
  const home = new TestHome();
  const junit = `${home.path}/junit.xml`;
  const all = `${home.path}/all.ts`;
  const words = ["--config=deno.json", `--junit-path=${junit}`, ...wordsFor(test), ...modules(test, all)];
  const child = start(["test", "--no-prompt", ...PERMISSIONS, ...words], home, output);
  const kept = output === "late" ? child.output() : null;
  const inTime = await ends(child, stop);
  const report = take(junit);
  Deno.removeSync(all);
  // First of all, since who is left may still hold the test process's output.
  const left = await home.clear(child.pid);
  if (kept !== null) await print(await kept);
  const { code } = await child.status;
  // The report lists what a filter left out as skipped.
  const cases = parseJunit(report).filter(({ name }) => isPicked(name, filter ?? ""));
  return { label, cases, left, code: inTime ? code : null };
}

function wordsFor({ filter, checked }: TestProcess): string[] {
  return [...checked ? ["--no-check"] : [], ...filter === undefined ? [] : [`--filter=${filter}`]];
}

/** What to load: the files, and in place of those that share an isolate `all`, which is written. */
function modules({ files, together }: TestProcess, all: string): string[] {
  const shared = files.filter((file) => together !== undefined && file.startsWith(together));
  const here = `file://${Deno.cwd()}/`;
  Deno.writeTextFileSync(all, shared.map((file) => `import "${new URL(file, here)}";\n`).join(""));
  return [...files.filter((file) => !shared.includes(file)), ...shared.length > 0 ? [all] : []];
}

function start(args: readonly string[], home: TestHome, output: TestProcess["output"]): Deno.ChildProcess {
  const [first, ...words] = WITH_PARENT;
  return new Deno.Command(first, {
    args: [...words, Deno.execPath(), ...args],
    stdin: "null",
    stdout: output === "live" ? "inherit" : "piped",
    stderr: output === "live" ? "inherit" : "piped",
    env: { ...home.env, RUST_BACKTRACE: "0" }, // 1 appends a stack of the runtime's own to every error
  }).spawn();
}

/** Whether it ended by itself. */
async function ends(child: Deno.ChildProcess, stop: AbortSignal): Promise<boolean> {
  let killed = false;
  const kill = () => {
    killed = true;
    child.kill("SIGKILL");
  };
  const alarm = setTimeout(kill, LIMIT_MINUTES * 60_000);
  stop.addEventListener("abort", kill);
  if (stop.aborted) kill();
  await child.status;
  clearTimeout(alarm);
  stop.removeEventListener("abort", kill);
  return !killed;
}

/** What the file holds, which is no more; empty where there is none. */
function take(file: string): string {
  try {
    const text = Deno.readTextFileSync(file);
    Deno.removeSync(file);
    return text;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

async function print({ stdout, stderr }: Deno.CommandOutput): Promise<void> {
  await Deno.stdout.write(stdout);
  await Deno.stderr.write(stderr);
}
