/** The fields that `ACCESS_LOG_FIELDS=extended` adds to access lines (`docs/spec/dataplane.md` 8.7). */
import type { ConnectionEnding, ConnectionFacts, FirstBytes } from "./connection_ending.ts";
import { bare, type Fields } from "./log_fields.ts";

/** The fields of a line about an open connection. */
export function openFields({ id }: ConnectionFacts): Fields {
  return { "connection.id": bare(id) };
}

/** The fields of a line about a connection that has ended. */
export function endingFields(
  facts: ConnectionFacts,
  { by, how, phase }: ConnectionEnding,
  bytes: FirstBytes | null,
): Fields {
  const { tls, carrier, attempt, times } = facts;
  return {
    ...openFields(facts),
    "ended.by": by,
    "ended.how": how,
    "ended.phase": phase,
    ...decisionField(facts),
    "tls.version": tls?.version,
    "tls.group": tls?.group === "" ? null : tls?.group,
    "hbone.connection": carrier,
    attempt: attempt === 0 ? null : attempt,
    "time.resolved": time(times.resolved),
    "time.authorized": time(times.authorized),
    "time.connected": time(times.connected),
    "time.handshaken": time(times.handshaken),
    "time.answered": time(times.answered),
    "time.client_byte": time(bytes?.clientByte ?? null),
    "time.server_byte": time(bytes?.serverByte ?? null),
  };
}

/** The id of the last decision about a connection. Lines of refused connections always have it. */
export function decisionField({ decision }: ConnectionFacts): Fields {
  return { "decision.id": decision === null ? null : bare(decision) };
}

function time(ms: number | null): string | null {
  return ms === null ? null : `${ms}ms`;
}
