/** Decisions that no policy's rule made. Their ids are constant, and this file says what they stand for. */
import { NO_POLICY } from "../policy/authorize.ts";
import type { RefusalCode } from "../resolve/outcome.ts";

/** What a refusal of the mesh's rules is called: `no-healthy-upstream` for `NO_HEALTHY_UPSTREAM`. */
export function refusalId(code: RefusalCode): string {
  return code.toLowerCase().replaceAll("_", "-");
}

const REFUSALS: Readonly<Record<RefusalCode, string>> = {
  RECURSIVE_CALL: "refused: the destination is a port of this proxy, so the call would come back to it",
  NO_HEALTHY_UPSTREAM: "refused: no endpoint of the service is ready",
  NO_SERVICE_FOR_TARGET: "refused: the service has no such port, or no service has the address",
  NO_VALID_DESTINATION: "refused: the workload has no address that can be dialled",
  UNKNOWN_WAYPOINT: "refused: the waypoint that the mesh names is not known",
  UNKNOWN_NETWORK_GATEWAY: "refused: the gateway to the destination's network is not known",
  NAME_NOT_RESOLVED: "refused: the workload has a name in place of an address, and DNS has no address for it",
  NOT_CONNECT: "refused: the peer's request was not a CONNECT",
  INVALID_AUTHORITY: "refused: the authority of the CONNECT is no address and no hostname with a port",
  IP_MISMATCH: "refused: the CONNECT names an address that is not that of the pod it was sent to",
  UNKNOWN_HOSTNAME: "refused: the CONNECT names a hostname that the mesh does not have",
  UNRESOLVED_PORT: "refused: the service has no such port",
  NO_VIP: "refused: the service has no address on this network",
  APPLICATION_TUNNEL: "refused: the workload's application tunnel does not allow the destination",
};

const TEXTS: ReadonlyMap<string, string> = new Map([
  [
    NO_POLICY["no allow policies, allow"],
    "allowed: no ALLOW policy applies to the workload, and no DENY policy matched",
  ],
  [NO_POLICY["no allow policies matched"], "refused: ALLOW policies apply to the workload, and none of them matched"],
  [
    NO_POLICY["unknown policy, deny"],
    "refused: the workload names a policy that the control plane has not sent (UNKNOWN_POLICIES)",
  ],
  [
    NO_POLICY["dry-run: no allow policies match"],
    "would be refused: ALLOW policies in dry run apply to the workload, and none of them matched",
  ],
  ...Object.entries(REFUSALS).map(([code, text]) => [refusalId(code as RefusalCode), text] as const),
  ["no-route", "refused: the pod's own workload is not known, or the control plane did not answer a lookup"],
  ["no-identity", "refused: there is no certificate of this workload's identity"],
  [
    "tls-refused",
    "refused: the TLS handshake with the peer failed at this proxy, for example as its certificate is not trusted",
  ],
  ["revoked", "closed: a certificate was revoked or withdrawn"],
  ["destination-lost", "closed: the mesh has taken the address from the destination"],
  ["limit", "refused or closed: a limit was reached, which the error of the connection names"],
  ["drain", "closed: the pod or the proxy stopped, and the connection had not ended in time"],
  ["half-closed-timeout", "closed: one side had ended, and no byte was moved for HALF_CLOSED_TIMEOUT"],
]);

/** What an id stands for; null: it is no id of this kind. */
export function fixedDecision(id: string): string | null {
  return TEXTS.get(id) ?? null;
}
