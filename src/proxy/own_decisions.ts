/** The ids of this proxy's decisions to end a connection that no policy made (`mesh/explain/fixed_decisions.ts`). */
import { refusalId } from "../mesh/explain/fixed_decisions.ts";
import type { RefusalCode } from "../mesh/resolve/outcome.ts";
import type { EndedHow, EndingCause } from "../telemetry/connection_ending.ts";

/** The mesh does not say where a connection leads, or does not have the pod. */
export const NO_ROUTE: EndingCause = { by: "us", how: "no route" };

const IDS: Partial<Record<EndedHow, string>> = {
  "no route": "no-route",
  identity: "no-identity",
  tls: "tls-refused",
  revocation: "revoked",
  "destination lost": "destination-lost",
  limit: "limit",
  drain: "drain",
  "half-closed timeout": "half-closed-timeout",
};

/** The cause of a refusal by the rules of the mesh. */
export function refusalCause(code: RefusalCode): EndingCause {
  return { by: "us", how: "no route", decision: refusalId(code) };
}

/** The id of the decision behind the end of a connection; null: this proxy did not decide to end it. */
export function endingDecision({ by, how, decision }: EndingCause): string | null {
  return by === "us" ? decision ?? IDS[how] ?? null : null;
}
