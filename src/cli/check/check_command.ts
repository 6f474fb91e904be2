/** `ztunnel check`: the effective configuration, and what is wrong with this machine for it. */
import type { Command } from "commander";
import { addExamples } from "../examples.ts";
import type { Terminal } from "../terminal.ts";

const MORE = `
It reads the environment as the proxy does and starts no proxy. It connects to istiod and its CA and ends the connection
after the TLS handshake. Secrets are hidden.

Exit code: 0 no problem; 1 problems; 2 a wrong option.`;

/** Adds the command to `program`. `done` gets the exit code. */
export function addCheckCommand(
  program: Command,
  terminal: Pick<Terminal, "print">,
  done: (exitCode: number) => void,
): void {
  const command = program.command("check")
    .description("Print the effective configuration, and what is wrong with this machine for it")
    .option("--json", "print it for programs", false)
    .addHelpText("after", MORE)
    .action(async ({ json }: { readonly json: boolean }) => done(await check(json, terminal)));
  addExamples(
    command,
    ["on a node", "kubectl exec -n istio-system ztunnel-x7k2p -- ztunnel check"],
    ["only the problems, with jq", `ztunnel check --json | jq '.checks[] | select(.state == "problem")'`],
  );
}

/** Returns the exit code. The checks are loaded here, since most of the program's modules come with them. */
async function check(json: boolean, { print }: Pick<Terminal, "print">): Promise<number> {
  const { SYSTEM_FILES } = await import("../../config/files.ts");
  const { runChecks } = await import("./run_checks.ts");
  const { systemMachine } = await import("./system_machine.ts");
  const { reportText } = await import("./report_text.ts");
  const surroundings = {
    variables: Deno.env.toObject(),
    files: SYSTEM_FILES,
    cpus: navigator.hardwareConcurrency,
  };
  const report = await runChecks(surroundings, systemMachine(Deno.env.get("ZTUNNEL_BUNDLED_TLS_LIBRARY")));
  print(json ? `${JSON.stringify(report, null, 2)}\n` : reportText(report));
  return report.checks.some(({ state }) => state === "problem") ? 1 : 0;
}
