/** Unix sockets of the node's agents. */
import type { Config } from "../../config/config.ts";
import type { Finding, Machine } from "./machine.ts";

type Facts = Pick<Machine, "socketProblem">;

/** One finding for each socket that the configuration uses. */
export function checkSockets(config: Config, machine: Facts): Finding[] {
  const { mode, inpod, spire } = config;
  const found: Finding[] = [];
  const check = (subject: string, path: string, cure: string) => {
    const problem = machine.socketProblem(path);
    found.push(
      problem === null
        ? { subject, state: "ok", text: path }
        : { subject, state: "problem", text: `${path}: ${problem}`, cure },
    );
  };
  if (mode === "shared") {
    check(
      "CNI agent",
      inpod.socketPath,
      "is istio-cni running on this node, and its folder mounted? INPOD_UDS sets another path",
    );
  }
  if (config.ca.fake) return found;
  const agent = "is the SPIRE agent running on this node, and its folder mounted?";
  if (spire.broker !== null) {
    const { socket, workloadApiPath } = spire.broker;
    check("SPIRE agent", workloadApiPath, `${agent} SPIFFE_BROKER_WORKLOAD_API_SOCKET sets another path`);
    if (socket.kind === "unix") check("SPIFFE broker", socket.path, `${agent} SPIFFE_BROKER_SOCKET sets another path`);
  } else if (spire.enabled) {
    check("SPIRE agent", spire.adminSocketPath, `${agent} SPIRE_ADMIN_ENDPOINT_SOCKET sets another path`);
    if (spire.attestation === "pid") found.push(containerRuntime(spire.containerRuntimeSockets, machine));
  }
  return found;
}

function containerRuntime(paths: readonly string[], machine: Facts): Finding {
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
