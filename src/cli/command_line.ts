/** `ztunnel [proxy | explain | version | help]` (`docs/spec/config-admin.md` 1.14, 7.5). */
import type { Config } from "../config/config.ts";
import { ConfigError } from "../config/error.ts";
import { SYSTEM_FILES } from "../config/files.ts";
import { parseConfig } from "../config/parse_config.ts";
import { withBindCure } from "../app/bind_cure.ts";
import { openLogOutput, writerTo } from "../telemetry/log_output.ts";
import { runNode } from "../app/node.ts";
import { TERMINAL } from "./terminal.ts";
import { versionLine } from "../app/version_line.ts";

/** Milliseconds that writing the reason for the exit may take. */
const LAST_WORDS = 1000;

export async function main(args: readonly string[], makeWorker: () => Worker): Promise<void> {
  switch (args[0]) {
    case undefined:
    case "proxy":
      return await run(args, makeWorker);
    case "explain":
      return await explain(args.slice(1));
    case "version":
      return console.log(versionLine(Deno.env.get("ISTIO_META_ISTIO_VERSION")));
    case "help":
      return help();
    default:
      console.error(`unknown command: ${args[0]}`);
      help();
      Deno.exit(1);
  }
}

function help(): void {
  console.log(`
Istio Ztunnel (${versionLine(Deno.env.get("ISTIO_META_ISTIO_VERSION"))})

Commands:
proxy (default) - Start the ztunnel proxy
explain         - Explain the way of a connection and what the policies say
version         - Print the version of ztunnel
help            - Print commands and version of ztunnel`);
}

/** Loaded when it is wanted: a proxy has no use for it. */
async function explain(args: readonly string[]): Promise<void> {
  const { explainCommand } = await import("./explain_command.ts");
  Deno.exit(await explainCommand(args, TERMINAL));
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
    Deno.exit(error instanceof ConfigError ? error.exitCode : 1);
  }
}

/** Writes to standard error for a second at most: a stalled reader must not keep the process alive. */
function lastWords(text: string): void {
  const writer = writerTo(openLogOutput(2));
  writer.push(`${text}\n`);
  writer.drain(LAST_WORDS);
}
