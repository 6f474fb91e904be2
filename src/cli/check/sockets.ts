/** Unix sockets of the node's agents. */
import type { Config } from "../../config/config.ts";
import type { Finding, Machine } from "./machine.ts";

type Facts = Pick<Machine, "socketProblem" | "connectProblem">;

/** One finding for each socket that the configuration uses. */
export async function checkSockets(config: Config, machine: Facts): Promise<Finding[]> {
  const { mode, inpod, spire, ca } = config;
  const found: Finding[] = [];
  if (mode === "shared") {
    // Not connected: the agent would take the connection for a new proxy.
    const cure = "is istio-cni running on this node, and its folder mounted? INPOD_UDS sets another path";
    found.push(finding("CNI agent", inpod.socketPath, machine.socketProblem(inpod.socketPath), cure));
  }
  if (ca.fake) return found;
  const check = async (subject: string, path: string, setting: string) => {
    const problem = machine.socketProblem(path) ?? await machine.connectProblem(path);
    const cure = `is the SPIRE agent running on this node, and its folder mounted? ${setting} sets another path`;
    found.push(finding(subject, path, problem, cure));
  };
  if (spire.broker !== null) {
    const { socket, workloadApiPath } = spire.broker;
    await check("SPIRE agent", workloadApiPath, "SPIFFE_BROKER_WORKLOAD_API_SOCKET");
    if (socket.kind === "unix") await check("SPIFFE broker", socket.path, "SPIFFE_BROKER_SOCKET");
  } else if (spire.enabled) {
    await check("SPIRE agent", spire.adminSocketPath, "SPIRE_ADMIN_ENDPOINT_SOCKET");
    if (spire.attestation === "pid") found.push(containerRuntime(spire.containerRuntimeSockets, machine));
  }
  return found;
}

function finding(subject: string, path: string, problem: string | null, cure: string): Finding {
  if (problem === null) return { subject, state: "ok", text: path };
  return { subject, state: "problem", text: `${path}: ${problem}`, cure };
}

function containerRuntime(paths: readonly string[], machine: Pick<Machine, "socketProblem">): Finding {
  const subject = "container runtime";
  const usable = paths.find((path) => machine.socketProblem(path) === null);
  if (usable !== undefined) return { subject, state: "ok", text: usable };
  return {
    subject,
    state: "problem",
    text: `none of ${paths.join(", ")} is a socket that can be used`,
    cure:
      "mount the socket of the container runtime, set CONTAINER_RUNTIME_SOCK_PATH, or set SPIRE_ATTESTATION=selectors",
  };
}
