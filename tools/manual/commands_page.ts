/** `docs/commands.md`: the help of every command, from the program itself. */
import { makeProgram } from "../../src/cli/program.ts";
import { madeFrom, table } from "./markdown.ts";

const INTRODUCTION = `# Commands

The executable is \`ztunnel\`; without it, \`npx -y deno@2.9.6 task start COMMAND\` does the same. In a pod:
\`kubectl exec -n istio-system POD -- ztunnel COMMAND\`. Without a command the proxy starts.

`;

const EXIT_CODES = table(["exit code", "meaning"], [
  ["0", "done; also after help and version"],
  ["1", "the command or the start of the proxy failed, the command does not exist, or `check` has found problems"],
  ["2", "a wrong option or argument (of `explain`: 1); `explain` also where the connection is refused"],
  ["3", "`simulate`: something is newly allowed; what its other codes mean stands there"],
]);

/** Returns the page. */
export function commandsPage(): string {
  let help = "";
  const program = makeProgram(
    {
      columns: 100,
      print: (text) => void (help += text),
      complain: () => {},
      read: () => Promise.reject(new Error("not used")),
      fetch: () => Promise.reject(new Error("not used")),
      open: () => Promise.reject(new Error("not used")),
      post: () => Promise.reject(new Error("not used")),
    },
    "version",
    () => {},
  );
  const sections = program.commands.map((command) => {
    help = "";
    command.outputHelp();
    return `\n## ztunnel ${command.name()}\n\n\`\`\`\n${help.trim()}\n\`\`\`\n`;
  });
  return [madeFrom("`src/cli/program.ts`"), INTRODUCTION, EXIT_CODES, ...sections].join("");
}
