/** What a shell can complete: the commands and options that the help shows. */
import type { Argument, Command, Option } from "commander";

/** What follows an option or a command: a file, one of some words, or something that cannot be completed. */
export type Value =
  | { readonly kind: "file" }
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "text"; readonly name: string };

/** An option of a command. */
export interface OptionWords {
  /** `-h`, `--help`: at least one. */
  readonly names: readonly string[];
  readonly description: string;
  /** Null: the option has no value. */
  readonly value: Value | null;
}

/** A command and what can follow it. */
export interface CommandWords {
  readonly name: string;
  readonly description: string;
  readonly options: readonly OptionWords[];
  /** Null: the command has no argument. */
  readonly argument: Value | null;
}

/** Everything that completions offer. */
export interface ProgramWords {
  readonly options: readonly OptionWords[];
  readonly commands: readonly CommandWords[];
}

/** Options and commands of `program`, those included that the library adds (`help`, `--help`). */
export function wordsOf(program: Command): ProgramWords {
  const commands = program.createHelp().visibleCommands(program);
  const names = commands.map((command) => command.name());
  return {
    options: optionsOf(program),
    commands: commands.map((command) => ({
      name: command.name(),
      description: command.description(),
      options: optionsOf(command),
      argument: command.registeredArguments[0] === undefined
        ? null
        : argumentValue(command.registeredArguments[0], names),
    })),
  };
}

function optionsOf(command: Command): OptionWords[] {
  return command.createHelp().visibleOptions(command).map((option) => ({
    names: [option.short, option.long].filter((name) => name !== undefined),
    description: option.description,
    value: optionValue(option),
  }));
}

/** The name in the option's flags says what the value is: `--dump <file>`. */
function optionValue({ flags, argChoices }: Option): Value | null {
  const name = /[<[](.*?)[>\]]/.exec(flags)?.[1];
  if (name === undefined) return null;
  if (argChoices !== undefined) return { kind: "words", words: argChoices };
  return name === "file" ? { kind: "file" } : { kind: "text", name };
}

function argumentValue(argument: Argument, commands: readonly string[]): Value {
  if (argument.argChoices !== undefined) return { kind: "words", words: argument.argChoices };
  const name = argument.name();
  return name === "command" ? { kind: "words", words: commands } : { kind: "text", name };
}
