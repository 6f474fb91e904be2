/** `ztunnel proxy` in the help and in completions. The proxy itself is started by `command_line.ts`, without this file. */
import type { Command } from "commander";
import { addExamples } from "./examples.ts";

const MORE = `
Environment variables configure it; docs/configuration.md lists them. Further words change nothing: Istio's chart starts
"proxy ztunnel".`;

/** Adds the command to `program`. */
export function addProxyCommand(program: Command): void {
  const command = program.command("proxy")
    .description("Start the ztunnel proxy; the default")
    .addHelpText("after", MORE);
  command.action(() => command.error("error: 'proxy' must be the first word, without options"));
  addExamples(
    command,
    ["on a node of a cluster", "ztunnel proxy"],
    [
      "one workload, without a cluster: the mesh and the keys of its CA are files",
      "PROXY_MODE=dedicated PROXY_WORKLOAD_INFO=default/web/web FAKE_CA=true XDS_ADDRESS= LOCAL_XDS_PATH=mesh.yaml \\\n" +
      "    LOCAL_CA_CERT=ca.pem LOCAL_CA_KEY=ca.key ztunnel proxy",
    ],
  );
}
