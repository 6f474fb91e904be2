/** The completion script for zsh. */
import type { CommandWords, OptionWords, ProgramWords, Value } from "./words.ts";

/** Returns the script, for `source` as well as for a folder of `fpath` with the name `_ztunnel`. */
export function zshScript({ options, commands }: ProgramWords): string {
  const described = commands.map(({ name, description }) => `    ${quoted(`${name}:${description}`)}`);
  return `#compdef ztunnel
# Completions of ztunnel for zsh. Use: source <(ztunnel completions zsh)
_ztunnel() {
  local context state state_descr line
  typeset -A opt_args
  local -a commands=(
${described.join("\n")}
  )
  _arguments -C${specs(options, "    ")} \\
    '1:command:->command' \\
    '*::argument:->argument'
  case $state in
    command) _describe -t commands 'ztunnel command' commands ;;
    argument)
      case $line[1] in
${commands.map(commandCase).join("\n")}
      esac
      ;;
  esac
}
if [[ $funcstack[1] == _ztunnel ]]; then _ztunnel "$@"; else compdef _ztunnel ztunnel; fi
`;
}

function commandCase({ name, options, argument }: CommandWords): string {
  // A text has no completion, and its message would keep options from being completed.
  const words = argument === null || argument.kind === "text"
    ? ""
    : ` \\\n          ${quoted(`1:${colonless(argumentName(argument))}${action(argument)}`)}`;
  return `        ${name}) _arguments${specs(options, "          ")}${words} ;;`;
}

function argumentName(value: Value): string {
  return value.kind === "text" ? value.name : value.kind;
}

/** The specifications of `_arguments`, one on each line. An option that was typed is not offered again. */
function specs(options: readonly OptionWords[], indent: string): string {
  return options.map(({ names, description, value }) => {
    const text = `[${description.replaceAll(/[[\]]/g, "\\$&")}]`;
    const follows = value === null ? "" : `:${colonless(argumentName(value))}${action(value)}`;
    const exclusive = names.length === 1 ? "" : `(${names.join(" ")})`;
    const spec = names.map((name) =>
      quoted(`${exclusive}${name}${name.startsWith("--") && value ? "=" : ""}${text}${follows}`)
    );
    return spec.map((each) => ` \\\n${indent}${each}`).join("");
  }).join("");
}

function action(value: Value): string {
  switch (value.kind) {
    case "file":
      return ":_files";
    case "words":
      return `:(${value.words.join(" ")})`;
    case "text":
      return ":";
    default:
      return value satisfies never;
  }
}

/** A colon ends a part of a specification. */
function colonless(text: string): string {
  return text.replaceAll(":", " ");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
