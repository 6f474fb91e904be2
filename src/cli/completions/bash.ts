/** The completion script for bash 4 or later. It needs no other package. */
import type { CommandWords, OptionWords, ProgramWords, Value } from "./words.ts";

/** Returns the script. Words that begin with `-` get options, others what the command accepts. */
export function bashScript({ options, commands }: ProgramWords): string {
  const names = commands.map(({ name }) => name);
  return `# Completions of ztunnel for bash. Use: source <(ztunnel completions bash)
_ztunnel() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} command= i words
  # Bash splits words at = and :, as in --option=value and shop/web:80.
  [[ $word == ":" || $before == ":" ]] && return
  if [[ $word == "=" ]]; then word=; elif [[ $before == "=" ]]; then before=\${COMP_WORDS[COMP_CWORD-2]}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ \${COMP_WORDS[i]} == -* ]] || { command=\${COMP_WORDS[i]}; break; }
  done
  COMPREPLY=()
  case $command:$before in
${commands.flatMap(valueCases).join("\n")}
  esac
  case $command:$word in
    :-*) words="${optionNames(options)}" ;;
    :*) words="${names.join(" ")}" ;;
${commands.flatMap(wordCases).join("\n")}
    *) return ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _ztunnel ztunnel
`;
}

/** What completes the value of an option. */
function valueCases({ name, options }: CommandWords): string[] {
  return options.flatMap(({ names, value }) => {
    if (value === null) return [];
    return [`    ${names.map((option) => `${name}:${option}`).join("|")}) ${valueAction(value)}return ;;`];
  });
}

function valueAction(value: Value): string {
  switch (value.kind) {
    case "file":
      return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$word"); ';
    case "words":
      return `mapfile -t COMPREPLY < <(compgen -W "${value.words.join(" ")}" -- "$word"); `;
    case "text":
      return "";
    default:
      return value satisfies never;
  }
}

/** What completes a word of the command that is not the value of an option. */
function wordCases({ name, options, argument }: CommandWords): string[] {
  const all = optionNames(options);
  const cases = all === "" ? [] : [`    ${name}:-*) words="${all}" ;;`];
  if (argument?.kind === "words") return [...cases, `    ${name}:*) words="${argument.words.join(" ")}" ;;`];
  return argument === null && all !== "" ? [`    ${name}:*) words="${all}" ;;`] : cases;
}

function optionNames(options: readonly OptionWords[]): string {
  return options.flatMap(({ names }) => names).join(" ");
}
