/** Examples at the end of a command's help. */
import type { Command } from "commander";

/** A purpose and the command line for it. */
type Example = readonly [purpose: string, line: string];

/** Adds the section "Examples:" to the help of `command`. */
export function addExamples(command: Command, ...examples: readonly Example[]): Command {
  const texts = examples.map(([purpose, line]) => `  # ${purpose}\n  ${line}`);
  return command.addHelpText("after", `\nExamples:\n${texts.join("\n")}`);
}
