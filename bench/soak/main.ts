/**
 * `deno task soak --minutes N`: connections of all kinds, bulk, DNS, pods, policies, workloads and certificates come and
 * go at the same time, for as long as wanted. Nothing of the proxies may grow meanwhile, no connection may fail that
 * should not, and nothing may be left when the load has ended. README.md has the details. Needs root.
 *
 * Exit code: 0 if all of this held, 1 if not, 2 for a wrong command line or where something is missing, 130 if it was
 * interrupted.
 */
import { parseArgs } from "node:util";
import { interruption } from "../../lab/interruption.ts";
import { lacks } from "../../lab/needs.ts";
import { describeMachine } from "../machine.ts";
import { curves } from "./curves.ts";
import { isGood, makeReport, type Report, textOf } from "./report.ts";
import { Scene } from "./scene.ts";
import { soak } from "./soak.ts";

const INTERRUPTED = 130;
const USAGE = `usage: deno task soak [--minutes=60] [--rate=1] [--out=bench/results]
  --minutes  how long the load runs
  --rate     how many times the usual 55 connections a second
  --out      folder of the JSON file and the curves`;
const NEEDS = { namespaces: true, packages: ["curl", "dnsmasq", "iptables"] } as const;

interface Options {
  readonly minutes: number;
  readonly rate: number;
  readonly out: string;
}

/** The options, or a text with what is wrong. */
function parse(args: readonly string[]): Options | string {
  try {
    const text = { type: "string" } as const;
    const { values } = parseArgs({
      args: [...args],
      options: { minutes: text, rate: text, out: text, help: { type: "boolean", short: "h" } },
    });
    if (values.help) return USAGE;
    const [minutes, rate] = [Number(values.minutes ?? 60), Number(values.rate ?? 1)];
    if (!(minutes > 0 && rate > 0)) return `--minutes and --rate must be positive numbers\n${USAGE}`;
    return { minutes, rate, out: values.out ?? new URL("../results", import.meta.url).pathname };
  } catch (error) {
    return `${error instanceof Error ? error.message : error}\n${USAGE}`;
  }
}

async function main(): Promise<number> {
  const options = parse(Deno.args);
  if (typeof options === "string") {
    console.error(options);
    return options === USAGE ? 0 : 2;
  }
  const missing = lacks(NEEDS);
  if (missing.length > 0) {
    console.error(missing.map(({ reason, cure }) => `${reason}: ${cure}`).join("\n"));
    return 2;
  }
  const interrupted = interruption();
  const building = Scene.build();
  try {
    const report = await Promise.race([building.then((scene) => run(scene, options)), interrupted]);
    if (report === undefined) return INTERRUPTED;
    console.log(textOf(report));
    write(report, options.out);
    return isGood(report) ? 0 : 1;
  } catch (error) {
    console.error(`The run failed: ${error instanceof Error ? error.stack : error}`);
    return 1;
  } finally {
    // Also after an interruption while it is built. A scene that failed to build has cleaned up itself.
    await building.then((scene) => scene[Symbol.asyncDispose](), () => {});
  }
}

async function run(scene: Scene, options: Options): Promise<Report> {
  console.error(`${scene.proxies.length} proxies are ready; the load runs for ${options.minutes} min`);
  const when = new Date();
  const outcome = await soak(scene, options, (text) => console.error(text));
  return makeReport({ when, ...options, machine: await describeMachine(), outcome });
}

function write(report: Report, folder: string): void {
  Deno.mkdirSync(folder, { recursive: true });
  const stem = `${folder}/soak-${report.when.slice(0, 16).replace("T", "-").replace(":", "")}`;
  Deno.writeTextFileSync(`${stem}.json`, JSON.stringify(report, null, 1) + "\n");
  Deno.writeTextFileSync(`${stem}.svg`, curves(report));
  console.error(`wrote ${stem}.json and .svg`);
}

if (import.meta.main) Deno.exit(await main());
