/**
 * `ztunnel simulate --policy FILE…`: asks a running proxy, or a config dump, what would change if policies were applied.
 */
import { type Command, Option } from "commander";
import { parseDeletion } from "../mesh/simulate/policy_changes.ts";
import type { SimulationResult } from "../mesh/simulate/result.ts";
import { DEFAULT_ADMIN } from "./admin_address.ts";
import { addExamples } from "./examples.ts";
import type { SimulateQuestion } from "./simulate_question.ts";
import { simulateDump } from "./simulate_dump.ts";
import { simulateProxy } from "./simulate_proxy.ts";
import { simulationText } from "./simulate_text.ts";
import type { Terminal } from "./terminal.ts";

const EXIT_CODES = `
Exit code: 0 nothing changes; 1 something is newly refused; 3 something is newly allowed and nothing newly refused;
2 the policies or the command line cannot be used, or the proxy does not answer.`;

interface Options {
  readonly policy: readonly string[];
  readonly delete: readonly string[];
  readonly rootNamespace: string;
  readonly admin: string;
  readonly dump?: string;
  readonly json: boolean;
}

/** Adds the command to `program`. `done` gets the exit code. */
export function addSimulateCommand(program: Command, terminal: Terminal, done: (exitCode: number) => void): void {
  const command = program.command("simulate")
    .description("Say what would change if policies were applied: who is newly refused or allowed")
    .addOption(
      new Option(
        "--policy <file>",
        "AuthorizationPolicies and PeerAuthentications in YAML, - for standard input; may be repeated",
      ).default([], "none").argParser(gather),
    )
    .addOption(
      new Option(
        "--delete <policy>",
        "NAMESPACE/NAME of an AuthorizationPolicy, or PeerAuthentication/NAMESPACE/NAME; may be repeated",
      ).default([], "none").argParser(gather),
    )
    .option("--root-namespace <name>", "the root namespace of the mesh", "istio-system")
    .addOption(new Option("--admin <host:port>", "the admin port of the proxy to ask").default(DEFAULT_ADMIN))
    .addOption(new Option("--dump <file>", "a file with a /config_dump, - for standard input").conflicts("admin"))
    .option("--json", "print everything, for programs", false)
    .addHelpText("after", EXIT_CODES)
    .action(async (options: Options) => done(await simulate(options, terminal)));
  addExamples(
    command,
    ["who is newly refused or allowed", "ztunnel simulate --policy deny-all.yaml"],
    ["what a deletion changes", "ztunnel simulate --delete shop/deny-all"],
    [
      "mutual TLS for a namespace, with what the cluster has now",
      "kubectl get peerauthentications -A -o yaml | ztunnel simulate --policy - --policy strict.yaml",
    ],
    ["without a proxy, in CI", "ztunnel simulate --dump node1.json --policy policies.yaml --json"],
  );
}

function gather(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

async function simulate(options: Options, terminal: Terminal): Promise<number> {
  try {
    const question = await questionOf(options, terminal);
    const { dump, admin } = options;
    const result = dump === undefined
      ? await simulateProxy(question, admin, terminal)
      : simulateDump(question, await terminal.read(dump), dump === "-" ? "standard input" : dump);
    terminal.print(options.json ? `${JSON.stringify(result, null, 2)}\n` : simulationText(result));
    return exitCodeOf(result);
  } catch (error) {
    terminal.complain(`Error: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
}

async function questionOf(options: Options, terminal: Terminal): Promise<SimulateQuestion> {
  const { policy, delete: deletions, rootNamespace: root } = options;
  if (policy.length + deletions.length === 0) throw new Error("nothing to simulate: give --policy or --delete");
  const wrong = deletions.find((each) => parseDeletion(each) === null);
  if (wrong !== undefined) {
    throw new Error(`cannot delete "${wrong}": write NAMESPACE/NAME or PeerAuthentication/NAMESPACE/NAME`);
  }
  const files: { name: string; text: string }[] = [];
  for (const path of policy) {
    files.push({ name: path === "-" ? "standard input" : path, text: await terminal.read(path) });
  }
  return { files, deletions, root };
}

function exitCodeOf({ connections, flows, pairs }: SimulationResult): number {
  const lists = [connections, flows, pairs].filter((list) => list !== null);
  if (lists.some(({ refused }) => refused > 0)) return 1;
  return lists.some(({ allowed }) => allowed > 0) ? 3 : 0;
}
