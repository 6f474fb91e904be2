/**
 * `ztunnel observe`: shows the connections of a running proxy as they open, are refused and end.
 *
 * Exit codes: 0 the proxy has ended the list; 1 it cannot be asked; 2 for a mistake in the command line.
 */
import { type Command, Option } from "commander";
import type { FlowEvent } from "../telemetry/flow.ts";
import { FILTER_NAMES } from "../telemetry/flow_filter.ts";
import { DEFAULT_ADMIN } from "./admin_address.ts";
import { addExamples } from "./examples.ts";
import { eventText } from "./observe_text.ts";
import { serverSentEvents } from "./server_sent_events.ts";
import type { Terminal } from "./terminal.ts";

interface Options {
  readonly admin: string;
  readonly last: string;
  readonly follow: boolean;
  readonly json: boolean;
  readonly [filter: string]: unknown;
}

/** Adds the command to `program`. `done` gets the exit code. */
export function addObserveCommand(program: Command, terminal: Terminal, done: (exitCode: number) => void): void {
  const command = program.command("observe")
    .description("Show connections as they open, are refused and end")
    .option("--workload <name>", "only with this workload on a side: name or namespace/name")
    .option("--namespace <name>", "only with a workload of this namespace on a side")
    .option("--service <name>", "only to this service: cart, cart.shop or the whole hostname")
    .option("--address <address>", "only with this ip or ip:port on a side, or asked for")
    .option("--identity <id>", "only with this SPIFFE id on a side")
    .addOption(new Option("--direction <direction>", "only these").choices(["inbound", "outbound"]))
    .addOption(new Option("--verdict <verdict>", "only these").choices(["ok", "denied", "failed"]))
    .option("--older <time>", "only those that lasted longer: 500ms, 30s, 5m, 2h")
    .option("--last <number>", "begin with so many of the last endings", "20")
    .option("--no-follow", "end behind them")
    .option("--json", "one JSON object for each event, for programs", false)
    .addOption(new Option("--admin <host:port>", "the admin port of the proxy to ask").default(DEFAULT_ADMIN))
    .action(async (options: Options) => done(await observe(options, terminal)));
  addExamples(
    command,
    ["what happens on this node", "ztunnel observe"],
    [
      "what is refused or fails in a namespace, from now on",
      "ztunnel observe --namespace shop --verdict denied --last 0",
    ],
    ["the last 1000 endings for a program", "ztunnel observe --last 1000 --no-follow --json"],
  );
}

async function observe(options: Options, terminal: Terminal): Promise<number> {
  const query = new URLSearchParams({ last: options.last, follow: `${options.follow}` });
  for (const name of FILTER_NAMES) {
    const value = options[name];
    if (typeof value === "string") query.set(name, value);
  }
  try {
    const { status, pieces } = await terminal.open(`http://${options.admin}/observe?${query}`);
    if (status !== 200) return await refused(status, pieces, options.admin, terminal);
    for await (const { type, data } of serverSentEvents(pieces)) {
      if (type === "lost") terminal.complain(`${data} events were lost: this program reads too slowly\n`);
      else if (options.json) terminal.print(`${data}\n`);
      else terminal.print(`${eventText(JSON.parse(data) as FlowEvent, terminal.columns !== undefined)}\n`);
    }
    return 0;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    terminal.complain(
      `Error: cannot observe the proxy at ${options.admin}: ${reason}\n` +
        "Run this where the proxy runs (kubectl exec), or forward its admin port and name it with --admin\n",
    );
    return 1;
  }
}

async function refused(
  status: number,
  pieces: AsyncIterable<string>,
  admin: string,
  terminal: Terminal,
): Promise<number> {
  let body = "";
  for await (const piece of pieces) body += piece;
  const text = status === 404 ? "it has no /observe, as it is another or an older proxy" : body.trim();
  terminal.complain(`Error: the proxy at ${admin} answers with status ${status}: ${text}\n`);
  return 1;
}
