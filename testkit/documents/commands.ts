/**
 * The commands of the pages for operators, and who checks them.
 *
 * A code block of commands has a mark behind its language:
 *
 * - `sh test`: `tests/docs_test.ts` runs it.
 * - `sh test in the background`: the same; the program continues until the end of the page.
 * - `sh cluster`: needs a Kubernetes cluster with Istio; `tests/kubernetes/docs_test.ts` runs it in one.
 * - `sh elsewhere: FILE`: the test in this file runs it.
 * - `sh never: REASON`: no test can run it.
 *
 * In a block of the language `console` a line that begins with `$ ` is a command, and the lines behind it are its output,
 * in which `...` stands for any text within a line and a line of only `...` for any number of lines. `exit=2` in a mark
 * is the exit code of its commands; otherwise it is 0.
 *
 * Commands within a sentence (in backquotes) have no mark: their program says who checks them.
 */

/** Who checks a command. */
type Mark = "test" | "background" | "cluster" | "elsewhere" | "never";

/** A command on a page. */
export interface PageCommand {
  /** One command line, or the whole of a block of the language `sh`. */
  readonly script: string;
  readonly mark: Mark;
  readonly exitCode: number;
  /** The output that the page shows; null where it shows none. */
  readonly output: string | null;
  /** The test that runs it, relative to the top of the project; null where it is not run elsewhere. */
  readonly runBy: string | null;
  /** Whether it is part of a sentence or table. */
  readonly isInline: boolean;
}

/** What a page contains. */
export interface PageCommands {
  readonly commands: readonly PageCommand[];
  /** Blocks that have no mark, or one that does not exist, each as a line for people. */
  readonly mistakes: readonly string[];
}

/** Languages of blocks that contain no command. */
const NOT_COMMANDS = new Set(["hcl", "json", "text", "yaml"]);
/** Programs whose inline commands are checked, and by whom. */
const INLINE: Readonly<Record<string, Mark>> = {
  ztunnel: "test",
  curl: "test",
  npx: "test",
  kubectl: "cluster",
  istioctl: "cluster",
  helm: "cluster",
};

/** Returns the commands of a page in Markdown, in their order. */
export function commandsOf(page: string): PageCommands {
  const commands: PageCommand[] = [];
  const mistakes: string[] = [];
  for (const [, info, block, code] of page.matchAll(/^ *```(.*)\n([\s\S]*?)^ *```$|`([^`\n]+)`/gm)) {
    if (code !== undefined) commands.push(...inlineCommand(code));
    else {
      const found = blockCommands(info!.trim(), unindented(block!));
      if (typeof found === "string") mistakes.push(`"${info}" before ${firstLine(block!)}: ${found}`);
      else commands.push(...found);
    }
  }
  for (const [, line] of page.matchAll(/^ {4}((?:\$ |(?:ztunnel|curl|kubectl|npx) ).*)$/gm)) {
    if (!commands.some(({ script }) => script.includes(line!))) {
      mistakes.push(`"${line}": only a fenced block has a mark`);
    }
  }
  return { commands, mistakes };
}

/** Returns the commands of a block, or what is wrong with its mark. */
function blockCommands(info: string, block: string): readonly PageCommand[] | string {
  const [language = "", ...words] = info.split(" ");
  if (NOT_COMMANDS.has(language)) return words.length === 0 ? [] : "this language has no mark";
  if (language !== "sh" && language !== "console") return "the block has no language";
  const text = words.join(" ");
  const [, name = "", exit] = text.match(/^(.*?)(?: exit=(\d+))?$/) ?? [];
  const mark = markOf(name);
  if (mark === null) return "the block has no mark";
  const runBy = mark === "elsewhere" ? name.slice("elsewhere: ".length) : null;
  const common = { mark, exitCode: Number(exit ?? 0), runBy, isInline: false };
  if (language === "sh") return [{ ...common, script: block.trim(), output: null }];
  if (!block.startsWith("$ ")) return "the first line is no command";
  return block.split(/^\$ /m).slice(1).map((part) => {
    const [, script = "", output = ""] = part.match(/^((?:.*\\\n)*.*)\n?([\s\S]*)$/) ?? [];
    return { ...common, script, output: output.trim() === "" ? null : output };
  });
}

function markOf(name: string): Mark | null {
  if (name === "test" || name === "cluster") return name;
  if (name === "test in the background") return "background";
  const [, kind = null] = name.match(/^(elsewhere|never): ./) ?? [];
  return kind as "elsewhere" | "never" | null;
}

function inlineCommand(code: string): readonly PageCommand[] {
  const mark = INLINE[code.split(" ")[0]!];
  if (mark === undefined || !code.includes(" ")) return [];
  return [{ script: code, mark, exitCode: 0, output: null, runBy: null, isInline: true }];
}

/** Returns whether a text matches output of a page with its placeholders. Blank space at the ends does not count. */
export function matchesOutput(actual: string, shown: string): boolean {
  const lines = shown.trim().split("\n").map((line) => line.trimEnd());
  const pattern = lines.map((line) =>
    line === "..." ? "(?:.*\\n)*?" : line.split("...").map(escaped).join(".*") + "[ \\t]*\\n"
  );
  return new RegExp(`^${pattern.join("")}$`).test(`${actual.trim()}\n`);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

function unindented(block: string): string {
  const indent = block.match(/^ */)![0].length;
  return block.replace(new RegExp(`^ {0,${indent}}`, "gm"), "");
}

function firstLine(block: string): string {
  return JSON.stringify(block.trim().split("\n")[0]);
}
