/**
 * The test command: `deno task test [--unit | --scenarios] [--filter=NAME] [--no-check] [FILE or FOLDER ...]`.
 *
 * Unit tests (beside their source, and those of the tools) run in a process for each CPU, four at most, and those of
 * `src/` in one isolate of it: they may change nothing that outlives them. Scenarios
 * (`tests/`, `bench/scenarios/`) use namespaces, well-known ports and other programs, so each file has a process of its own, one after the
 * other.
 * With `--no-check` types are taken as checked, which saves a few seconds for each process.
 * The last line is `N passed, N failed`, `, N skipped` following where a test could not run on this machine. The exit
 * status is 0 only if something ran and nothing failed. A test process that leaves something on the machine has failed:
 * other processes, temporary files, network namespaces. However a run ends, nothing of it stays.
 */
import { parseArgs } from "node:util";
import { clearDesertedHomes } from "./test_home.ts";
import { runTests, type TestOptions } from "./test_process.ts";
import { closingLines, type Run, summarize } from "./test_report.ts";

const UNIT_FOLDERS = ["src", "proto", "tools", "lab", "testkit", "demo", "bench", "dashboard"];
/** Whose tests share an isolate. */
const ROOMS = "src/";
const SCENARIO_FOLDERS = ["tests", "bench/scenarios"];
const UNIT_PROCESSES = Math.min(4, navigator.hardwareConcurrency);
/** Signals that end the run, with the exit status that shells give. */
const ENDING = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

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
  const isIn = (folder: string) => file.startsWith(`${folder}/`);
  return UNIT_FOLDERS.some(isIn) && !SCENARIO_FOLDERS.some(isIn);
}

/** Several `deno test` processes at a time, each with a share of the files. What the first says can be read live. */
function runUnitTests(files: readonly string[], options: TestOptions, stop: AbortSignal): Promise<Run[]> {
  const shares = Array.from(
    { length: UNIT_PROCESSES },
    (_, share) => files.filter((_, i) => i % UNIT_PROCESSES === share),
  );
  return Promise.all(
    shares.filter((share) => share.length > 0).map((share, i) => {
      const label = `unit tests, part ${i + 1}`;
      return runTests({ label, files: share, output: i === 0 ? "live" : "late", together: ROOMS, ...options }, stop);
    }),
  );
}

function select(args: readonly string[]): { files: string[]; options: TestOptions } {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      unit: { type: "boolean" },
      scenarios: { type: "boolean" },
      filter: { type: "string" },
      "no-check": { type: "boolean", default: false },
    },
  });
  const paths = positionals.length > 0 ? positionals : [...UNIT_FOLDERS, ...SCENARIO_FOLDERS];
  const files = [...new Set(paths.map((path) => path.replace(/^\.\/|\/$/g, "")).flatMap(testFiles))]
    .filter((file) => values.unit !== true || isUnit(file))
    .filter((file) => values.scenarios !== true || !isUnit(file));
  return { files, options: { filter: values.filter, checked: values["no-check"] } };
}

/** The signal, once there is one; its reason is the exit status. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const [name, status] of Object.entries(ENDING)) {
    Deno.addSignalListener(name as keyof typeof ENDING, () => controller.abort(status));
  }
  return controller.signal;
}

async function main(): Promise<number> {
  Deno.chdir(new URL("..", import.meta.url));
  const { files, options } = select(Deno.args);
  const stop = interruption();
  await clearDesertedHomes();
  const runs: Run[] = [];
  const unit = files.filter(isUnit);
  if (unit.length > 0) runs.push(...await runUnitTests(unit, options, stop));
  for (const file of files.filter((file) => !isUnit(file))) {
    if (stop.aborted) break;
    runs.push(await runTests({ label: file, files: [file], output: "live", ...options }, stop));
  }
  if (stop.aborted) return stop.reason;
  const report = summarize(runs);
  for (const line of closingLines(report)) console.log(line);
  return report.failures.length === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
