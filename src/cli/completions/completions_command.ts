/** `ztunnel completions bash`: prints the script with which a shell completes command lines of this program. */
import { Argument, type Command } from "commander";
import { addExamples } from "../examples.ts";
import type { Terminal } from "../terminal.ts";
import { bashScript } from "./bash.ts";
import { fishScript } from "./fish.ts";
import { type ProgramWords, wordsOf } from "./words.ts";
import { zshScript } from "./zsh.ts";

const SCRIPTS: Readonly<Record<string, (words: ProgramWords) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** Adds the command to `program`, for all commands that the program has when it runs. */
export function addCompletionsCommand(program: Command, terminal: Pick<Terminal, "print">): void {
  const command = program.command("completions")
    .description("Print the script that completes commands and options in a shell")
    .addArgument(new Argument("<shell>", "the shell").choices(Object.keys(SCRIPTS)))
    .action((shell: string) => terminal.print(SCRIPTS[shell]!(wordsOf(program))));
  addExamples(
    command,
    ["bash, in ~/.bashrc", "source <(ztunnel completions bash)"],
    ["zsh, in ~/.zshrc behind compinit", "source <(ztunnel completions zsh)"],
    ["fish", "ztunnel completions fish > ~/.config/fish/completions/ztunnel.fish"],
  );
}
