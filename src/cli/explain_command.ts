/**
 * `ztunnel explain --from default/client --to 10.96.0.5:80`: asks a running proxy, or a config dump, which way a
 * connection would take. `ztunnel explain ID`: what the id of a decision stands for.
 *
 * Exit codes: 0 allowed, or the decision is known; 2 refused, also where only some of the ways are that chance may
 * choose; 1 the question cannot be answered.
 */
import { type Command, Option } from "commander";
import type { ExplainAnswer, ExplainQuestion } from "../mesh/explain/explanation.ts";
import { DEFAULT_ADMIN } from "./admin_address.ts";
import { addExamples } from "./examples.ts";
import { decisionText } from "./decision_text.ts";
import { askDump, askDumpDecision } from "./explain_dump.ts";
import { explanationText } from "./explain_text.ts";
import { askProxy, askProxyDecision } from "./explain_proxy.ts";
import type { Terminal } from "./terminal.ts";

const EXIT_CODES = `
Exit code: 0 allowed, or what ID stands for; 2 refused, or refused on some of the routes that are chosen at random; 1 no answer.`;

interface Options extends Partial<ExplainQuestion> {
  readonly admin: string;
  readonly dump?: string;
  readonly json: boolean;
}

/** Adds the command to `program`. `done` gets the exit code. */
export function addExplainCommand(program: Command, terminal: Terminal, done: (exitCode: number) => void): void {
  const command = program.command("explain")
    .description("Explain the route of a connection and what the policies say, or what a decision stands for")
    .argument("[id]", "the id of a decision, decision.id of a log line; instead of --from and --to")
    .option("--from <workload>", "the workload that connects: namespace/name, uid or address")
    .option("--to <target>", "ip:port, [ipv6]:port, hostname:port or namespace/service:port")
    .addOption(new Option("--admin <host:port>", "the admin port of the proxy to ask").default(DEFAULT_ADMIN))
    .addOption(new Option("--dump <file>", "a file with a /config_dump, - for standard input").conflicts("admin"))
    .option("--json", "print everything, for programs", false)
    .addHelpText("after", EXIT_CODES)
    // Keeps the library's exit code 1 for a mistake in the command line, as 2 means that the connection is refused.
    .exitOverride()
    .action(async (id: string | undefined, options: Options) => {
      const { from, to } = options;
      if (id === undefined && (from === undefined || to === undefined)) {
        command.error("error: --from and --to are needed, or the id of a decision");
      }
      if (id !== undefined && (from !== undefined || to !== undefined)) {
        command.error("error: the id of a decision cannot be used with --from and --to");
      }
      const ask = id === undefined
        ? explain({ from: from!, to: to! }, options, terminal)
        : explainDecision(id, options, terminal);
      done(await ask);
    });
  addExamples(
    command,
    ["asks the proxy of this node", "ztunnel explain --from default/client --to 10.96.0.5:80"],
    ["a service by its name", "ztunnel explain --from default/client --to shop/web:80"],
    ["a decision.id of the log", "ztunnel explain k3vq7m2xa4bd.1"],
    ["asks a saved dump", "ztunnel explain --dump node1.json --from default/client --to web.shop:80"],
  );
}

async function explain(question: ExplainQuestion, { dump, admin, json }: Options, terminal: Terminal): Promise<number> {
  try {
    const answer = dump === undefined
      ? await askProxy(question, admin, terminal)
      : askDump(question, await terminal.read(dump), dump === "-" ? "standard input" : dump);
    return tell(answer, json, terminal);
  } catch (error) {
    return failed(error, terminal);
  }
}

async function explainDecision(id: string, { dump, admin, json }: Options, terminal: Terminal): Promise<number> {
  try {
    const row = dump === undefined
      ? await askProxyDecision(id, admin, terminal)
      : askDumpDecision(id, await terminal.read(dump), dump === "-" ? "standard input" : dump);
    terminal.print(json ? `${JSON.stringify({ decision: row }, null, 2)}\n` : decisionText(row, dump === undefined));
    return 0;
  } catch (error) {
    return failed(error, terminal);
  }
}

function failed(error: unknown, terminal: Terminal): number {
  terminal.complain(`Error: ${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
}

function tell(answer: ExplainAnswer, json: boolean, terminal: Terminal): number {
  if (answer.kind === "error") {
    const { message, candidates } = answer.error;
    if (json) terminal.print(`${JSON.stringify({ error: answer.error }, null, 2)}\n`);
    const meant = candidates.length === 0 ? "" : `\nDid you mean:\n${candidates.map((each) => `  ${each}\n`).join("")}`;
    terminal.complain(`Error: ${message}\n${meant}`);
    return 1;
  }
  const { explanation } = answer;
  terminal.print(json ? `${JSON.stringify({ explanation }, null, 2)}\n` : explanationText(explanation));
  return explanation.outlook === "allowed" ? 0 : 2;
}
