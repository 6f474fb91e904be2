/**
 * The test command: `deno task test [--unit | --scenarios] [--filter=NAME] [FILE or FOLDER ...]`.
 *
 * Unit tests (beside their source, and those of the tools) run in a process for each CPU, four at most. Scenarios
 * (`tests/`) use namespaces, well-known ports and other programs, so each file has a process of its own, one after the
 * other.
 * The last line is `N passed, N failed`, `, N skipped` following where a test could not run on this machine. The exit
 * status is 0 only if something ran and nothing failed.
 */
import { parseArgs } from "node:util";
import { parseJunit } from "./junit.ts";
import { closingLines, isPicked, type Run, summarize } from "./test_report.ts";

const UNIT_FOLDERS = ["src", "proto", "tools", "tests/support", "demo", "bench"];
const SCENARIO_FOLDER = "tests";
const UNIT_PROCESSES = Math.min(4, navigator.hardwareConcurrency);
/** Longest life of one test process. */
const LIMIT_MINUTES = 15;

/** All `*_test.ts` under `path`, or `path` itself if it is a file. Sorted. */
function testFiles(path: string): string[] {
  const info = stat(path);
  if (info === null) return [];
  if (info.isFile) return [path];
  return [...Deno.readDirSync(path)]
    .filter((entry) => entry.isDirectory || entry.name.endsWith("_test.ts"))
    .map((entry) => `${path}/${entry.name}`).sort()
    .flatMap(testFiles);
}

function stat(path: string): Deno.FileInfo | null {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

function isUnit(file: string): boolean {
  return UNIT_FOLDERS.some((folder) => file.startsWith(`${folder}/`));
}

/** Several `deno test` processes at a time, each with a share of the files. What the first says can be read live. */
function runUnitTests(files: readonly string[], filter: string | undefined): Promise<Run[]> {
  const shares = Array.from(
    { length: UNIT_PROCESSES },
    (_, share) => files.filter((_, i) => i % UNIT_PROCESSES === share),
  );
  return Promise.all(
    shares.filter((share) => share.length > 0).map((share, i) =>
      runTests(`unit tests, part ${i + 1}`, share, filter, i === 0 ? "live" : "late")
    ),
  );
}

/** Runs one `deno test` process. Its own output goes to ours, as it comes or when all is over. */
async function runTests(
  label: string,
  files: readonly string[],
  filter: string | undefined,
  output: "live" | "late" = "live",
): Promise<Run> {
  const junit = await Deno.makeTempFile({ prefix: "junit-", suffix: ".xml" });
  const args = ["test", "-A", "--no-prompt", `--junit-path=${junit}`];
  if (filter !== undefined) args.push(`--filter=${filter}`);
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args, ...files],
    stdin: "null",
    stdout: output === "live" ? "inherit" : "piped",
    stderr: output === "live" ? "inherit" : "piped",
    env: { RUST_BACKTRACE: "0" }, // 1 appends a stack of the runtime's own to every error
  }).spawn();
  let late = false;
  const alarm = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, LIMIT_MINUTES * 60_000);
  const { code } = await (output === "live" ? child.status : outputOf(child));
  clearTimeout(alarm);
  // The report lists what a filter left out as skipped.
  const cases = parseJunit(await Deno.readTextFile(junit)).filter(({ name }) => isPicked(name, filter ?? ""));
  await Deno.remove(junit);
  return { label, cases, code: late ? null : code };
}

async function outputOf(child: Deno.ChildProcess): Promise<Deno.CommandStatus> {
  const { stdout, stderr, ...status } = await child.output();
  await Deno.stdout.write(stdout);
  await Deno.stderr.write(stderr);
  return status;
}

function select(args: readonly string[]): { files: string[]; filter: string | undefined } {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { unit: { type: "boolean" }, scenarios: { type: "boolean" }, filter: { type: "string" } },
  });
  const paths = positionals.length > 0 ? positionals : [...UNIT_FOLDERS, SCENARIO_FOLDER];
  const files = [...new Set(paths.map((path) => path.replace(/^\.\/|\/$/g, "")).flatMap(testFiles))]
    .filter((file) => values.unit !== true || isUnit(file))
    .filter((file) => values.scenarios !== true || !isUnit(file));
  return { files, filter: values.filter };
}

async function main(): Promise<number> {
  Deno.chdir(new URL("..", import.meta.url));
  const { files, filter } = select(Deno.args);
  const runs: Run[] = [];
  const unit = files.filter(isUnit);
  if (unit.length > 0) runs.push(...await runUnitTests(unit, filter));
  for (const file of files.filter((file) => !isUnit(file))) runs.push(await runTests(file, [file], filter));
  const report = summarize(runs);
  for (const line of closingLines(report)) console.log(line);
  return report.failures.length === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
