/**
 * `ztunnel explain --from default/client --to 10.96.0.5:80`: asks a running proxy, or a config dump, which way a
 * connection would take.
 *
 * Exit codes: 0 allowed; 2 refused, also where only some of the ways are that chance may choose; 1 the question cannot be
 * answered.
 */
import { parseArgs } from "node:util";
import type { ExplainAnswer, ExplainQuestion } from "../mesh/explain/explanation.ts";
import { askDump } from "./explain_dump.ts";
import { explanationText } from "./explain_text.ts";
import { askProxy } from "./explain_proxy.ts";
import type { Terminal } from "./terminal.ts";

const DEFAULT_ADMIN = "127.0.0.1:15000";

export const EXPLAIN_USAGE =
  `usage: ztunnel explain --from <workload> --to <target> [--admin <host:port> | --dump <file>] [--json]

--from   namespace/name, uid or address of the workload that connects
--to     ip:port, [ipv6]:port, hostname:port or namespace/service:port
--admin  the admin port of the proxy to ask (default ${DEFAULT_ADMIN})
--dump   a file with the /config_dump of a proxy, - for standard input
--json   for programs

exit code: 0 allowed, 2 refused (or refused on some of the ways chance may choose), 1 no answer
`;

interface Options extends ExplainQuestion {
  readonly admin: string;
  readonly dump: string | null;
  readonly json: boolean;
}

/** Returns the exit code. */
export async function explainCommand(args: readonly string[], terminal: Terminal): Promise<number> {
  const options = parseOptions(args);
  if (typeof options === "string") {
    terminal.complain(`Error: ${options}\n\n${EXPLAIN_USAGE}`);
    return 1;
  }
  try {
    const { dump, admin } = options;
    const answer = dump === null
      ? await askProxy(options, admin, terminal)
      : askDump(options, await terminal.read(dump), dump === "-" ? "standard input" : dump);
    return tell(answer, options.json, terminal);
  } catch (error) {
    terminal.complain(`Error: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

/** The options, or what is wrong with them. */
function parseOptions(args: readonly string[]): Options | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        from: { type: "string" },
        to: { type: "string" },
        admin: { type: "string" },
        dump: { type: "string" },
        json: { type: "boolean", default: false },
      },
    });
    const { from, to, admin, dump = null, json } = values;
    if (from === undefined || to === undefined) return "--from and --to are needed";
    if (admin !== undefined && dump !== null) return "--admin and --dump exclude each other: there is one mesh to ask";
    return { from, to, admin: admin ?? DEFAULT_ADMIN, dump, json };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
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
