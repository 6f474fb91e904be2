/** The completion script for fish. */
import type { CommandWords, OptionWords, ProgramWords, Value } from "./words.ts";

const NO_COMMAND = "test -z (__ztunnel_command)";

/** Returns the script. */
export function fishScript({ options, commands }: ProgramWords): string {
  return [
    `# Completions of ztunnel for fish. Use: ztunnel completions fish > ~/.config/fish/completions/ztunnel.fish
function __ztunnel_command
  for word in (commandline -opc)[2..]
    string match -q -- '-*' $word; or echo $word; and return
  end
  echo ''
end
complete -c ztunnel -f`,
    ...options.map((option) => optionLine(NO_COMMAND, option)),
    ...commands.map(({ name, description }) => line(NO_COMMAND, `-a ${quoted(name)}`, description)),
    ...commands.flatMap(commandLines),
    "",
  ].join("\n");
}

function commandLines({ name, options, argument }: CommandWords): string[] {
  const when = `test (__ztunnel_command) = ${name}`;
  const lines = options.map((option) => optionLine(when, option));
  if (argument?.kind === "words") lines.push(line(when, `-a ${quoted(argument.words.join(" "))}`, ""));
  return lines;
}

function optionLine(when: string, { names, description, value }: OptionWords): string {
  const flags = names.map((name) => name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`);
  return line(when, [...flags, ...value === null ? [] : [valueFlags(value)]].join(" "), description);
}

function valueFlags(value: Value): string {
  switch (value.kind) {
    case "file":
      return "-r -F";
    case "words":
      return `-x -a ${quoted(value.words.join(" "))}`;
    case "text":
      return "-x";
    default:
      return value satisfies never;
  }
}

function line(when: string, what: string, description: string): string {
  const text = description === "" ? "" : ` -d ${quoted(description)}`;
  return `complete -c ztunnel -n ${quoted(when)} ${what}${text}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, "\\$&")}'`;
}
