/** The commands beside `proxy` (`docs/spec/config-admin.md` 1.14). */
import { Command, CommanderError } from "commander";
import { addExplainCommand } from "./explain_command.ts";
import type { Terminal } from "./terminal.ts";

/** `version`: what `ztunnel version` prints. Returns the exit code. */
export async function runCommand(args: readonly string[], terminal: Terminal, version: string): Promise<number> {
  let exitCode = 0;
  const program = new Command("ztunnel")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.print(text),
      writeErr: (text) => terminal.complain(text),
      outputError: (text, write) => write(errorText(text)),
    })
    .showHelpAfterError()
    .version(version, "-V, --version", "Print the version of ztunnel")
    .addHelpText("beforeAll", ({ command }) => command.parent === null ? `\nIstio Ztunnel (${version})\n` : "")
    .helpCommand("help [command]", "Print commands and version of ztunnel");
  program.command("proxy").description("Start the ztunnel proxy; the default");
  program.command("version").description("Print the version of ztunnel").action(() => terminal.print(`${version}\n`));
  addExplainCommand(program, terminal, (code) => exitCode = code);
  try {
    await program.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    throw error;
  }
}

/** In the words of the Rust ztunnel for an unknown command. */
function errorText(text: string): string {
  return text.replace(/^error: unknown command '(.*?)'.*/, "unknown command: $1").replace(/^error:/, "Error:");
}
