/** The table of commands and options: parsing, help and completions are made from it. */
import { Command, CommanderError } from "commander";
import { addCheckCommand } from "./check/check_command.ts";
import { addCompletionsCommand } from "./completions/completions_command.ts";
import { addExamples } from "./examples.ts";
import { addExplainCommand } from "./explain_command.ts";
import { addObserveCommand } from "./observe_command.ts";
import { addProxyCommand } from "./proxy_command.ts";
import { addSimulateCommand } from "./simulate_command.ts";
import type { Terminal } from "./terminal.ts";

/** Exit code for a command line that cannot be used. */
const USAGE = 2;
/** Width of help that is not for a terminal. */
const COLUMNS = 80;

/**
 * `version`: what `ztunnel version` prints. `done` gets the exit code of a command that has run. The program throws
 * `CommanderError` with the exit code where no command runs: after help and for a mistake in the command line.
 */
export function makeProgram(terminal: Terminal, version: string, done: (exitCode: number) => void): Command {
  const program = new Command("ztunnel")
    .exitOverride((error) => {
      throw error.exitCode === 0 || error.code === "commander.unknownCommand"
        ? error
        : new CommanderError(USAGE, error.code, error.message);
    })
    .configureOutput({
      writeOut: (text) => terminal.print(text),
      writeErr: (text) => terminal.complain(text),
      getOutHelpWidth: () => terminal.columns ?? COLUMNS,
      getErrHelpWidth: () => terminal.columns ?? COLUMNS,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      outputError: (text, write) => write(errorText(text)),
    })
    .showHelpAfterError()
    .version(version, "-V, --version", "Print the version of ztunnel")
    .helpOption("-h, --help", "Print help")
    .addHelpText("beforeAll", ({ command }) => command.parent === null ? `\nIstio Ztunnel (${version})\n` : "")
    // Its own, since the library's prints the help of the program for a command that does not exist.
    .helpCommand(false);
  addExamples(
    program,
    ["start the proxy; environment variables configure it", "ztunnel"],
    ["options and examples of a command", "ztunnel help explain"],
  );
  addProxyCommand(program);
  addExamples(
    program.command("version")
      .description("Print the version of ztunnel")
      .action(() => terminal.print(`${version}\n`)),
    ["which version runs on a node", "kubectl exec -n istio-system ztunnel-x7k2p -- ztunnel version"],
  );
  addExplainCommand(program, terminal, done);
  addSimulateCommand(program, terminal, done);
  addCheckCommand(program, terminal, done);
  addObserveCommand(program, terminal, done);
  addCompletionsCommand(program, terminal);
  addHelpCommand(program);
  return program;
}

function addHelpCommand(program: Command): void {
  const command = program.command("help")
    .argument("[command]", "the command")
    .description("Print commands and version of ztunnel")
    .action((name?: string) => {
      const subject = name === undefined ? program : program.commands.find((each) => each.name() === name);
      if (subject !== undefined) return subject.help();
      program.error(`error: unknown command '${name}'`, { code: "commander.unknownCommand" });
    });
  addExamples(command, ["options and examples of a command", "ztunnel help explain"]);
}

/** In the words of the Rust ztunnel for an unknown command. */
function errorText(text: string): string {
  return text.replace(/^error: unknown command '(.*?)'.*/, "unknown command: $1").replace(/^error:/, "Error:");
}
