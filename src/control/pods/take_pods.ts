/** Shared mode: begins to take pods from the node's agent, once the certificate authority allows it or takes too long. */
import type { Certificates } from "../certificates/certificates.ts";
import type { GateOutcome } from "../certificates/authority_gate.ts";
import type { NodePods, NodePodsParts } from "./node_pods.ts";

/**
 * `outcome`: how the wait for the certificate authority ended. Rejects where this process lacks the rights for shared
 * mode. The code of shared mode is loaded here: dedicated mode does without it.
 */
export async function takePods(
  outcome: GateOutcome,
  certificates: Certificates,
  parts: Omit<NodePodsParts, "standby">,
): Promise<NodePods> {
  const { config, log } = parts;
  const scope = log.scope("ztunnel::app");
  const standby = outcome === "limit";
  if (standby) {
    scope.warn(
      `the certificate authority has not answered within ${config.authorityWait / 1000} s (AUTHORITY_WAIT): taking ` +
        "the pods that no other proxy serves, so that new pods can start; their connections in the mesh fail until it " +
        "answers, and this proxy is not ready until then",
    );
  }
  const pods = new (await import("./node_pods.ts")).NodePods({ ...parts, standby });
  if (standby) {
    void certificates.connected?.then(() => {
      scope.info("the certificate authority answers: serving all pods of the node");
      pods.authorityAnswered();
    });
  }
  return pods;
}
