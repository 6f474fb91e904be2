/** The command line: it starts the proxy, or is a command of `commands.ts`. */
import type { Config } from "../config/config.ts";
import { ConfigError } from "../config/error.ts";
import { SYSTEM_FILES } from "../config/files.ts";
import { parseConfig } from "../config/parse_config.ts";
import { withBindCure } from "../app/bind_cure.ts";
import { exitAtOnce } from "../os/exit.ts";
import { openLogOutput, writerTo } from "../telemetry/log_output.ts";
import { runNode } from "../app/node.ts";
import { startsProxy } from "./starts_proxy.ts";
import { versionLine } from "../app/version_line.ts";

/** Milliseconds that writing the reason for the exit may take. */
const LAST_WORDS = 1000;

/** Runs the proxy or the command that `args` name. Ends the process with the exit status of the command. */
export async function main(args: readonly string[], makeWorker: () => Worker): Promise<void> {
  if (startsProxy(args)) return await run(args, makeWorker);
  // Loaded only here, with the library for command lines: a proxy has no use for them.
  const { runCommand } = await import("./commands.ts");
  const { TERMINAL } = await import("./terminal.ts");
  Deno.exit(await runCommand(args, TERMINAL, versionLine(Deno.env.get("ISTIO_META_ISTIO_VERSION"))));
}

async function run(args: readonly string[], makeWorker: () => Worker): Promise<void> {
  let config: Config | null = null;
  try {
    config = parseConfig(Deno.env.toObject(), SYSTEM_FILES, navigator.hardwareConcurrency, args);
    await runNode(config, makeWorker);
    Deno.exit(0);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    lastWords(`Error: ${config === null ? message : withBindCure(message, config)}`);
    exitAtOnce(error instanceof ConfigError ? error.exitCode : 1);
  }
}

/** Writes to standard error for a second at most: a stalled reader must not keep the process alive. */
function lastWords(text: string): void {
  const writer = writerTo(openLogOutput(2));
  writer.push(`${text}\n`);
  writer.drain(LAST_WORDS);
}
